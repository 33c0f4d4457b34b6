"""Probes and drafts handed over in the running gateway, by the OpenAI SDK and the ledger."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from openai import OpenAI

from gateway import KEY, Provider, RunningGateway, call, config_for, fails, says
from tierwise.state.spending import HEAD_START_USD

SUM = [{"role": "user", "content": "Ada has 70 shells and finds 2 more. How many has she now?"}]
GOOD, BAD = '{"fault": "none", "grade": 5}', '{"fault": "wrong sum", "grade": 1}'


def tiers(*gates: str) -> list[dict[str, Any]]:
    return [{"model": "small", "gates": list(gates)}, {"model": "large"}]


@pytest.fixture(scope="module")
def probing(_provider: Provider) -> Iterator[RunningGateway]:
    data = config_for(
        _provider.url,
        server={"api_keys": [KEY]},
        policies={
            "judged": {"tiers": tiers("complete", "judge"), "judge": "umpire", "hand_over": True},
            "agreed": {"tiers": tiers("agreement", "self_check")},
            "thrifty": {"tiers": tiers("judge"), "judge": "umpire", "probe_share": 0.002},
            "plain": {"tiers": tiers("complete")},
        },
    )
    data["providers"]["alpha"]["models"].append("umpire")
    data["models"]["umpire"] = {"prices": {"input": 0.5, "output": 1}, "quality": 0.3}
    with RunningGateway(data) as gateway:
        yield gateway


@pytest.fixture
def gateway(probing: RunningGateway, provider: Provider) -> RunningGateway:
    provider.acts["small"] = says("71")
    provider.acts["large"] = says("72")
    probing.forget()
    return probing


def ask(client: OpenAI, model: str, *, stream: bool = False) -> str:
    if stream:
        events = client.chat.completions.create(model=model, messages=SUM, stream=True)
        return "".join(c.choices[0].delta.content or "" for c in events if c.choices)
    answer = client.chat.completions.create(model=model, messages=SUM)
    return str(answer.choices[0].message.content)


def outcomes(gateway: RunningGateway) -> list[tuple[str, str, str]]:
    return [(a.model, a.outcome, a.gate) for a in gateway.last_record().attempts]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("grade", "answer"), [(GOOD, "71"), (BAD, "72")])
def test_the_judge_decides_who_answers(
    client: OpenAI,
    gateway: RunningGateway,
    provider: Provider,
    grade: str,
    answer: str,
    stream: bool,
) -> None:
    provider.acts["umpire"] = says(grade)
    assert ask(client, "judged", stream=stream) == answer
    kept = grade == GOOD
    expected = [("small", "accepted" if kept else "rejected", ""), ("umpire", "probe", "judge")]
    assert outcomes(gateway) == expected + ([] if kept else [("large", "accepted", "")])
    if not kept:
        note = provider.seen[-1].body["messages"][-1]["content"]
        assert "judge: the judge gives 1 of 5: wrong sum" in note


def test_a_probe_is_in_the_cost_that_headers_and_ledger_give(
    client: OpenAI, gateway: RunningGateway, provider: Provider
) -> None:
    provider.acts["umpire"] = says(GOOD, tokens=(200, 20))
    raw = client.chat.completions.with_raw_response.create(model="judged", messages=SUM)
    small, judge = (10 * 1 + 5 * 2) / 1e6, (200 * 0.5 + 20 * 1) / 1e6
    assert float(raw.headers["x-tierwise-cost-usd"]) == pytest.approx(small + judge, abs=1e-8)
    assert raw.headers["x-tierwise-attempts"] == "2"
    assert raw.headers["x-tierwise-tier"] == "1"
    assert gateway.last_record().cost_usd == pytest.approx(small + judge)
    # The client's own usage is that of the answer alone.
    answer = raw.parse()
    assert answer.usage is not None
    assert (answer.model, answer.usage.total_tokens) == ("small", 15)


def test_the_report_says_what_probes_cost(
    client: OpenAI, gateway: RunningGateway, provider: Provider
) -> None:
    provider.acts["umpire"] = says(GOOD, tokens=(200, 20))
    ask(client, "judged")
    gateway.settle()
    report = gateway.orchestrator.ledger.report(now=time.time())
    judge = report.by_gate["judge"]
    assert report.probes >= judge.probes >= 1
    assert report.probe_usd >= judge.cost_usd > 0


def test_a_judge_that_is_down_costs_nothing_but_its_verdict(
    client: OpenAI, gateway: RunningGateway, provider: Provider
) -> None:
    provider.acts["umpire"] = fails(500, {"message": "down"})
    assert ask(client, "judged") == "71"
    assert outcomes(gateway) == [("small", "accepted", ""), ("umpire", "probe", "judge")]
    record = gateway.last_record()
    assert (record.failovers, record.attempts[1].cost_usd) == (0, 0.0)
    assert record.status == "ok"


def test_agreement_asks_a_cheaper_model_that_nobody_named(
    client: OpenAI, gateway: RunningGateway, provider: Provider
) -> None:
    provider.acts["umpire"] = says("71")
    assert ask(client, "agreed") == "71"
    assert ("umpire", "probe", "agreement") in outcomes(gateway)
    tier = gateway.last_record().decision.plan.tiers[0]
    assert tier.second == "umpire"


def test_probes_keep_within_their_share_of_what_the_policy_has_cost(
    client: OpenAI, gateway: RunningGateway, provider: Provider
) -> None:
    provider.acts["small"] = says("71", tokens=(5000, 2500))
    provider.acts["umpire"] = says(GOOD, tokens=(200, 60))
    spent = probes = 0.0
    bought = []
    for _ in range(40):
        gateway.forget()
        ask(client, "thrifty")
        record = gateway.last_record()
        calls = [a for a in record.attempts if a.outcome == "probe"]
        probes += sum(a.cost_usd for a in calls)
        assert probes <= 0.002 * (spent + HEAD_START_USD) + 1e-6
        spent += record.cost_usd
        bought.append(bool(calls))
    assert not bought[0]
    assert any(bought)
    assert not all(bought[bought.index(True) :])


def test_a_policy_without_probes_asks_nobody_else(
    client: OpenAI, gateway: RunningGateway, provider: Provider
) -> None:
    assert ask(client, "plain") == "71"
    assert [seen.body["model"] for seen in provider.seen] == ["small"]
    assert call(gateway.url, "GET", "/health/ready").status == 200
