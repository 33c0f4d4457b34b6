"""The library: the same path as the gateway's, without a server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from builders import a_task
from gateway import PATIENCE_S, Provider, config_for, fails, hangs, pauses, says, write_config
from tierwise import Answer, Orchestrator
from tierwise.answer import make_task
from tierwise.errors import (
    AllPathsFailed,
    ConfigError,
    DeadlineExceeded,
    InvalidRequest,
    UnknownDecision,
    UnknownModel,
    Unsatisfiable,
    UpstreamError,
    UpstreamRejected,
)
from tierwise.types import Record


async def recorded(o: Orchestrator) -> Record:
    assert await asyncio.to_thread(o.ledger.flush, PATIENCE_S)
    return next(o.ledger.recent(1))


async def test_an_answer_carries_its_decision_cost_and_record(provider: Provider) -> None:
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        answer = await o.chat("Hello there", policy="stepwise")
        assert isinstance(answer, Answer)
        assert (answer.text, answer.model, answer.finish_reason) == ("Hello there", "small", "stop")
        assert answer.cost_usd == pytest.approx(10e-6 + 5 * 2e-6)
        assert answer.reference_cost_usd == pytest.approx(10 * (10e-6 + 5 * 2e-6))
        assert answer.decision.reason == "the policy pins small then large"
        assert [tier.model for tier in answer.decision.plan.tiers] == ["small", "large"]
        assert (answer.usage.input_tokens, answer.usage.output_tokens) == (10, 5)
        assert answer.json()["choices"][0]["message"]["content"] == "Hello there"
        assert (await recorded(o)).decision.id == answer.decision.id


async def test_what_is_asked_of_one_that_is_closed_is_a_clear_error(provider: Provider) -> None:
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        await o.chat("Hello", policy="small")
    asked = len(provider.seen)
    for call in (
        o.chat("Hello", policy="small"),
        o.chat_stream("Hello", policy="small"),
        o.responses(model="small", input="Hello"),
        o.embed("Hello", "small"),
        o.pass_through("GET", "/v1/files"),
    ):
        with pytest.raises(RuntimeError, match="is closed; make another one"):
            await call
    assert (len(provider.seen), o.ledger.dropped) == (asked, 0)


class Elsewhere:
    """Another replica, which knows of one conversation."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.told: list[tuple[str, str]] = []

    async def recall(self, session: str) -> tuple[str, int, float] | None:
        self.asked.append(session)
        return ("large", 700, 10.0) if session == "talk" else None

    def remember(self, session: str, model: str, _tokens: int) -> None:
        self.told.append((session, model))


async def test_a_conversation_is_asked_for_elsewhere_where_a_policy_chooses(
    provider: Provider,
) -> None:
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        o.sessions.elsewhere = elsewhere = Elsewhere()
        await o.chat("Hello", policy="stepwise", session="talk")
        assert elsewhere.asked == ["talk"]
        assert elsewhere.told == [("talk", "small")]
        await o.chat("Hello", policy="stepwise")
        await o.chat("Hello", policy="small", session="talk")  # which is a model
        assert elsewhere.asked == ["talk"]


async def test_an_escalation_shows_both_attempts_and_bills_both(provider: Provider) -> None:
    provider.acts["small"] = says("")
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        answer = await o.chat("Hello", policy="stepwise")
    assert [a.outcome for a in answer.record.attempts] == ["rejected", "accepted"]
    assert answer.cost_usd == pytest.approx(11 * (10e-6 + 5 * 2e-6))
    assert answer.model == "large"


async def test_messages_and_parameters_go_out_as_the_sdk_takes_them(provider: Provider) -> None:
    messages = [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "Hello"},
    ]
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {}}}]
    provider.acts["small"] = says(tool=("weather", '{"city": "Bern"}'))
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        answer = await o.chat(
            messages, policy="small", tools=tools, temperature=0.5, session="talk", mirostat=2
        )
        assert (await recorded(o)).session == "talk"
    assert [(call.name, call.arguments) for call in answer.tool_calls] == [
        ("weather", '{"city": "Bern"}')
    ]
    seen = provider.seen[-1].body
    assert (seen["messages"], seen["tools"]) == (messages, tools)
    assert (seen["temperature"], seen["mirostat"]) == (0.5, 2)
    assert not {"session", "policy", "quality", "deadline_s"} & set(seen)


async def test_a_stream_is_read_piece_by_piece(provider: Provider) -> None:
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        stream = await o.chat_stream("one two three", policy="small")
        assert stream.model == "small"
        pieces = [piece async for piece in stream]
        assert pieces == ["one ", "two ", "three"]
        assert stream.finish_reason == "stop"
        assert stream.decision.requested == "small"
        assert stream.cost_usd == pytest.approx(10e-6 + 5 * 2e-6)
        assert (await recorded(o)).status == "ok"


async def test_a_stream_left_early_ends_the_call_and_is_booked(provider: Provider) -> None:
    provider.acts["small"] = pauses(provider)
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        stream = await o.chat_stream("Hello", policy="small")
        async for piece in stream:
            assert piece == "one "
            break
        await stream.aclose()
        assert await asyncio.to_thread(provider.gone.wait, PATIENCE_S)
        assert (await recorded(o)).status == "cancelled"
        assert o.health.states["alpha/small"].in_flight == 0


@pytest.mark.parametrize("policy", ["small", "stepwise"])
async def test_a_stream_that_nobody_reads_is_ended_and_booked_all_the_same(
    provider: Provider, policy: str
) -> None:
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        stream = await o.chat_stream("Hello", policy=policy)
        await stream.aclose()
        record = await recorded(o)
        assert record.model == "small"
        assert o.health.states["alpha/small"].in_flight == 0


async def test_a_stream_that_breaks_raises_while_it_is_read(provider: Provider) -> None:
    provider.acts["small"] = pauses(provider, cut=True)
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        stream = await o.chat_stream("Hello", policy="small")
        provider.release.set()
        with pytest.raises(UpstreamError):
            [piece async for piece in stream]
        assert (await recorded(o)).status == "error"


async def test_errors_are_types_that_say_what_to_do(provider: Provider) -> None:
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        with pytest.raises(UnknownModel, match="Did you mean small"):
            await o.chat("Hello", policy="smal")
        with pytest.raises(InvalidRequest, match="`messages` is empty"):
            await o.chat([], policy="small")
        with pytest.raises(InvalidRequest, match="use chat_stream"):
            await o.chat("Hello", stream=True)
        with pytest.raises(InvalidRequest, match="from 0 to 1"):
            await o.chat("Hello", quality=95)
        with pytest.raises(InvalidRequest, match="`tools` cannot be written as JSON"):
            await o.chat("Hello", tools=[object()])
        with pytest.raises(InvalidRequest, match=r"`messages` .* half a character: `\\ud83d`"):
            await o.chat("Hello \ud83d", policy="small")
        with pytest.raises(InvalidRequest, match=r"`temperature` is nan, .* finite number"):
            await o.chat("Hello", policy="small", temperature=float("nan"), stop=None)
        deep = {"type": "object", "anyOf": [{"maximum": float("inf")}]}
        with pytest.raises(InvalidRequest) as refused:
            await o.responses(model="small", input="Hello", tools=({"parameters": deep},))
        assert refused.value.param == "tools[0].parameters.anyOf[0].maximum"
        endless: dict[str, Any] = {}
        endless["properties"] = endless
        with pytest.raises(InvalidRequest, match=r"`tools` .* or contains itself") as refused:
            await o.messages(model="small", max_tokens=9, messages=[], tools=[endless])
        assert refused.value.param == "tools"
        provider.acts["small"] = fails(400, {"message": "top_k is too large"})
        with pytest.raises(UpstreamRejected, match="top_k is too large"):
            await o.chat("Hello", policy="small")
        provider.acts["small"] = provider.acts["large"] = fails(500, {"message": "boom"})
        with pytest.raises(AllPathsFailed) as caught:
            await o.chat("Hello", policy="stepwise")
        assert len(caught.value.failures) >= 2


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("session", 5, "must be a string"),
        ("session", "s" * 201, "has 201 characters"),
        ("session", "half of \ud83d", "not valid Unicode"),
        ("max_cost_usd", -1, "from 0 to 1e+09"),
        ("max_cost_usd", float("nan"), "from 0 to 1e+09"),
        ("max_cost_usd", "1", "must be a number"),
        ("max_latency_s", -1, "from 0 to 1e+09"),
        ("max_latency_s", "soon", "must be a number"),
        ("streams", "maybe", "Use one of: held, prefix, unchecked."),
        ("on_stream_break", True, "Use one of: continue, fail."),
        ("priority", "urgent", "Use one of: high, normal, low."),
        ("quality", 1.01, "from 0 to 1"),
        ("quality", True, "must be a number"),
        ("deadline_s", 0, "from 0.001 to"),
        ("deadline_s", -1.0, "from 0.001 to"),
        ("deadline_s", float("inf"), "from 0.001 to"),
    ],
)
async def test_what_cannot_be_used_is_refused_by_name_and_nobody_is_asked(
    provider: Provider, name: str, value: object, words: str
) -> None:
    limits: dict[str, Any] = {name: value}
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        for ask in (o.chat, o.chat_stream):
            with pytest.raises(InvalidRequest) as caught:
                await ask("Hello", "small", **limits)
            assert caught.value.param == name
            assert words in str(caught.value)
    assert not provider.seen


async def test_an_error_after_routing_carries_its_decision(provider: Provider) -> None:
    provider.acts["small"] = fails(500, {"message": "boom"})
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        with pytest.raises(AllPathsFailed) as caught:
            await o.chat("Hello", policy="small")
        assert caught.value.decision_id == (await recorded(o)).decision.id
        assert caught.value.attempts == 1


async def test_a_request_that_is_over_lets_go_of_its_body(provider: Provider) -> None:
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        answered = await o.answer(a_task(model="small"))
    assert not hasattr(answered.finished.run, "task")


async def test_the_deadline_is_the_policys_unless_the_call_names_one(provider: Provider) -> None:
    provider.acts["small"] = hangs()
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        assert o.patience_s("hasty") == 0.3
        assert o.patience_s("small") == o.patience_s("auto") == 600
        with pytest.raises(DeadlineExceeded):
            await o.chat("Hello", policy="hasty")
        with pytest.raises(DeadlineExceeded):
            await o.chat("Hello", policy="small", deadline_s=0.1)


async def test_a_ceiling_on_waiting_refuses_what_would_take_longer(provider: Provider) -> None:
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        for ask in (o.chat, o.chat_stream):
            with pytest.raises(Unsatisfiable) as caught:
                await ask("Hello", "small", max_latency_s=0)
            assert caught.value.param == "x-tierwise-max-latency-s"
        assert (await o.chat("Hello", "small", max_latency_s=60)).text == "Hello"
        assert "max_latency_s" not in provider.seen[-1].body
    assert len(provider.seen) == 1


async def test_a_stream_that_need_not_be_checked_is_read_before_its_end(
    provider: Provider,
) -> None:
    provider.acts["small"] = pauses(provider)
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        stream = await o.chat_stream("Hello", "stepwise", streams="unchecked")
        pieces = aiter(stream)
        assert await anext(pieces) == "one "
        assert not provider.release.is_set()
        provider.release.set()
        assert [piece async for piece in pieces] == ["two"]


@pytest.mark.parametrize("told", ["fail", "continue"])
async def test_the_call_says_whether_a_broken_stream_goes_on(provider: Provider, told: Any) -> None:
    provider.acts["small"] = pauses(provider, cut=True)
    data = config_for(provider.url)
    data["providers"]["beta"] = {**data["providers"]["alpha"], "models": ["large"]}
    policies = {"both": {"tiers": [{"model": "small"}], "fallbacks": ["large"], "wait_s": 0}}
    data["policies"] |= policies
    provider.acts["large"] = says("one three")
    provider.release.set()
    async with Orchestrator.from_config(data) as o:
        stream = await o.chat_stream("Hello", "both", streams="unchecked", on_stream_break=told)
        pieces: list[str] = []
        if told == "fail":
            with pytest.raises(UpstreamError):
                pieces += [piece async for piece in stream]
        else:
            pieces += [piece async for piece in stream]
        assert bool({seen.body["model"] for seen in provider.seen} - {"small"}) is (told != "fail")


def test_a_task_has_the_priority_that_its_call_names() -> None:
    def priority(**wishes: Any) -> str:
        return make_task("Hello", "auto", stream=False, params={}, wishes=wishes).priority

    assert (priority(priority="low"), priority()) == ("low", "normal")


async def test_cancelling_a_chat_is_booked_as_cancelled(provider: Provider) -> None:
    provider.acts["small"] = hangs()
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        chat = asyncio.create_task(o.chat("Hello", policy="small"))
        assert await asyncio.to_thread(provider.arrived.wait, PATIENCE_S)
        chat.cancel()
        with pytest.raises(asyncio.CancelledError):
            await chat
        assert (await recorded(o)).status == "cancelled"


async def test_the_configuration_may_be_a_mapping_or_a_file(
    provider: Provider, tmp_path: Path
) -> None:
    data = config_for(provider.url, ledger={"path": str(tmp_path / "ledger.db")})
    file = write_config(tmp_path / "tierwise.yaml", data)
    for source in (data, file, str(file)):
        async with Orchestrator.from_config(source) as o:
            assert (await o.chat("Hello", policy="small")).text == "Hello"
    assert (tmp_path / "ledger.db").is_file()


def test_with_nothing_given_and_nothing_found_it_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tierwise.config.discover import Found

    monkeypatch.setattr("tierwise.assembly.discover", lambda _: Found())
    with pytest.raises(ConfigError, match="set a key such as OPENAI_API_KEY"):
        Orchestrator.from_config()


async def test_content_is_stored_only_if_configured(provider: Provider) -> None:
    for keep in (False, True):
        data = config_for(provider.url, ledger={"store_content": keep})
        async with Orchestrator.from_config(data) as o:
            await o.chat("my words", policy="small")
            record = await recorded(o)
        assert (record.prompt is not None) is keep
        assert record.answer == ("my words" if keep else None)


async def test_an_answer_can_be_rated_at_once_and_again_later(provider: Provider) -> None:
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        answer = await o.chat("Hello", policy="stepwise")
        first = await o.feedback(answer.decision.id, label="good")
        await o.feedback(answer.decision.id, score=0.5, comment="on second thoughts")
        assert (first.score, first.label, first.source) == (1.0, "good", "user")
        assert await asyncio.to_thread(o.ledger.flush, PATIENCE_S)
        kept = o.ledger.feedback(answer.decision.id)
    assert [(one.score, one.comment) for one in kept] == [
        (1.0, None),
        (0.5, "on second thoughts"),
    ]


async def test_feedback_that_cannot_be_used_is_an_error_with_its_field(provider: Provider) -> None:
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        with pytest.raises(InvalidRequest, match="nan") as bad:
            await o.feedback("0123", score=float("nan"))
        assert bad.value.param == "score"
        with pytest.raises(InvalidRequest, match="Unicode"):
            await o.feedback("0123", score=1, comment="half a \ud800")
        with pytest.raises(UnknownDecision, match="'0123'"):
            await o.feedback("0123", score=1)
