"""Every call is billed by the model that answered, with the tokens that were used."""

from __future__ import annotations

from typing import Any

import pytest

from builders import DONE, a_chunk, a_deployment, a_plan, a_profile, a_stream, a_task, an_answer
from laboratory import a_laboratory
from tierwise.catalog import Catalog
from tierwise.execution.billing import Billing, names_model
from tierwise.types import Prices, Tier, Usage
from upstream import Reply, fails, says, streams

MTOK = 1_000_000
OWN = Prices(input=1.0, output=2.0)
both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def answers(stream: bool, **fields: Any) -> Reply:
    return streams(a_stream(**fields)) if stream else says(an_answer(**fields))


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.builtin()


@pytest.mark.parametrize(
    ("reported", "model", "expected"),
    [
        ("gpt-4o", "gpt-4o", True),
        ("gpt-4o-2024-08-06", "gpt-4o", True),
        ("claude-x-20250929", "claude-x", True),
        ("mistral-large-2407", "mistral-large", True),
        ("grok-latest", "grok", True),
        ("model@20240101", "model", True),
        ("gpt-4o-mini", "gpt-4o", False),
        ("gpt-4o-mini-2024-07-18", "gpt-4o", False),
        ("gpt-4", "gpt-4o", False),
        ("openai/gpt-4o", "gpt-4o", False),
        (None, "gpt-4o", False),
        ("", "gpt-4o", False),
    ],
)
def test_a_dated_snapshot_is_the_same_model_and_a_sibling_is_not(
    reported: str | None, model: str, expected: bool
) -> None:
    assert names_model(reported, model) is expected


@pytest.mark.parametrize("reported", [None, "gpt-4o", "gpt-4o-2024-08-06", "nobody-knows-me"])
def test_the_model_that_was_asked_is_billed_at_its_deployment_s_price(
    catalog: Catalog, reported: str | None
) -> None:
    deployment = a_deployment("gpt-4o", "openai", prices=OWN)
    assert Billing(catalog).answered_by(deployment, reported) == ("gpt-4o", OWN)


def test_a_model_asked_under_the_provider_s_name_is_still_itself(catalog: Catalog) -> None:
    deployment = a_deployment("gpt-4o", "openrouter", upstream_model="openai/gpt-4o", prices=OWN)
    assert Billing(catalog).answered_by(deployment, "openai/gpt-4o") == ("gpt-4o", OWN)


def test_another_model_than_was_asked_is_billed_as_itself(catalog: Catalog) -> None:
    deployment = a_deployment("gpt-4o", "openai", prices=OWN, base_url="https://api.openai.com/v1")
    model, prices = Billing(catalog).answered_by(deployment, "gpt-4o-mini-2024-07-18")
    assert model == "gpt-4o-mini"
    assert prices.input == pytest.approx(0.15)
    assert prices.output == pytest.approx(0.60)


@pytest.mark.parametrize("usage", [None, Usage()])
def test_tokens_that_nobody_counted_are_estimated(catalog: Catalog, usage: Usage | None) -> None:
    billed, estimated = Billing(catalog).usage_or_count(usage, a_profile(input_tokens=70), 400)
    assert estimated
    assert billed == Usage(input_tokens=70, output_tokens=100)


@both
async def test_an_answer_costs_its_tokens_at_its_model_s_price(stream: bool) -> None:
    async with a_laboratory({"small": [answers(stream)]}) as lab:
        await lab.ask(a_task(stream=stream), a_plan("small"))
        (attempt,) = lab.run.attempts
        assert attempt.usage == Usage(input_tokens=100, output_tokens=50)
        assert attempt.cost_usd == pytest.approx((100 * 1.0 + 50 * 2.0) / MTOK)
        assert lab.run.cost_usd == attempt.cost_usd
        assert lab.run.usage == attempt.usage
        assert not attempt.estimated


@both
async def test_the_provider_s_own_figure_wins(stream: bool) -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 50, "cost": 0.125}
    quirks = frozenset({"usage-cost"})
    async with a_laboratory({"small": [answers(stream, usage=usage)]}, quirks=quirks) as lab:
        await lab.ask(a_task(stream=stream), a_plan("small"))
        assert lab.run.cost_usd == 0.125


@both
@pytest.mark.parametrize(
    "odd",
    [{"cost": -5}, {"cost": 1e300}, {"completion_tokens": -3_000_000}, {"prompt_tokens": 10**25}],
    ids=str,
)
async def test_a_usage_beyond_reason_is_counted_anew(stream: bool, odd: dict[str, Any]) -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 50, **odd}
    reply = answers(stream, text="word " * 40, usage=usage)
    async with a_laboratory({"small": [reply]}, quirks=frozenset({"usage-cost"})) as lab:
        await lab.ask(a_task(stream=stream), a_plan("small"))
        (attempt,) = lab.run.attempts
        assert (attempt.outcome, attempt.estimated) == ("accepted", True)
        assert attempt.usage is not None
        assert attempt.usage.cost_usd is None
        assert attempt.usage.input_tokens == 100  # of the profile
        assert 40 <= attempt.usage.output_tokens <= 60
        assert 0 < lab.run.cost_usd < 0.001


@both
async def test_an_odd_usage_is_no_reason_to_ask_again_elsewhere(stream: bool) -> None:
    usage = {"prompt_tokens": 100.0, "completion_tokens": "50", "prompt_tokens_details": []}
    async with a_laboratory({"small": [answers(stream, usage=usage)], "large": []}) as lab:
        await lab.ask(a_task(stream=stream), a_plan("small", fallbacks=("large",)))
        (attempt,) = lab.run.attempts
        assert attempt.usage == Usage(input_tokens=100, output_tokens=50)
        assert not attempt.estimated


async def test_an_answer_whose_usage_counts_nothing_is_estimated_by_its_words() -> None:
    answer = an_answer("x" * 400, usage={"prompt_tokens": 0, "completion_tokens": 0})
    async with a_laboratory({"small": [says(answer)]}) as lab:
        await lab.ask(a_task(), a_plan("small"))
        (attempt,) = lab.run.attempts
        assert attempt.usage == Usage(input_tokens=100, output_tokens=100)


@both
async def test_a_rejected_draft_is_billed_beside_the_answer(stream: bool) -> None:
    plan = a_plan(Tier(model="small", gates=("picky",)), "large")
    async with a_laboratory(
        {
            "small": [answers(stream, text="doubtful")],
            "large": [answers(stream, model="large")],
        }
    ) as lab:
        await lab.ask(a_task(stream=stream), plan)
        draft, answer = lab.run.attempts
        assert draft.cost_usd == pytest.approx((100 * 1.0 + 50 * 2.0) / MTOK)
        assert answer.cost_usd == pytest.approx((100 * 10.0 + 50 * 20.0) / MTOK)
        assert lab.run.cost_usd == pytest.approx(draft.cost_usd + answer.cost_usd)
        assert lab.run.usage == answer.usage


@both
async def test_a_call_that_came_to_nothing_costs_nothing(stream: bool) -> None:
    async with a_laboratory({"small": [fails(500), answers(stream)]}) as lab:
        await lab.ask(a_task(stream=stream), a_plan("small"))
        assert lab.run.attempts[0].cost_usd == 0.0
        assert lab.run.attempts[0].usage is None
        assert lab.run.cost_usd == lab.run.attempts[1].cost_usd


@both
async def test_a_model_that_the_provider_chose_instead_is_named_and_billed(stream: bool) -> None:
    reply = answers(stream, model="gpt-4o-mini-2024-07-18")
    async with a_laboratory({"small": [reply]}) as lab:
        body = await lab.ask(a_task(stream=stream), a_plan("small"))
        (attempt,) = lab.run.attempts
        assert attempt.model == lab.run.model == "gpt-4o-mini"
        assert attempt.cost_usd == pytest.approx((100 * 0.15 + 50 * 0.60) / MTOK)
        assert b"gpt-4o-mini" in body


@both
async def test_an_answer_under_the_provider_s_name_is_given_ours(stream: bool) -> None:
    reply = answers(stream, model="vendor/small-v2")
    async with a_laboratory({"small": [reply]}, upstream_model="vendor/small-v2") as lab:
        body = await lab.ask(a_task(stream=stream), a_plan("small"))
        assert b"vendor" not in body
        assert b'"small"' in body
        assert lab.upstreams["small"][0].asked[0].json()["model"] == "vendor/small-v2"


async def test_an_answer_without_a_model_is_given_one() -> None:
    async with a_laboratory({"small": [says(an_answer(model=None))]}) as lab:
        assert b'"model":"small"' in await lab.ask(a_task(), a_plan("small"))


async def test_an_uncounted_answer_is_estimated_by_its_words_alone() -> None:
    answer = an_answer("x" * 400)
    del answer["usage"]
    async with a_laboratory({"small": [says(answer)]}) as lab:
        await lab.ask(a_task(), a_plan("small"))
        (attempt,) = lab.run.attempts
        assert attempt.estimated
        assert attempt.usage is not None
        assert attempt.usage.output_tokens == 100


@pytest.mark.parametrize("pieces", [["word "] * 40, ["word " * 40]])
async def test_an_uncounted_stream_is_estimated_by_its_words(pieces: list[str]) -> None:
    events = [*map(a_chunk, pieces), a_chunk(finish_reason="stop"), DONE]
    async with a_laboratory({"small": [streams(events)]}) as lab:
        await lab.ask(a_task(stream=True), a_plan("small"))
        (attempt,) = lab.run.attempts
        assert attempt.estimated
        assert attempt.usage is not None
        assert 50 <= attempt.usage.output_tokens <= 52


async def test_a_stream_that_its_reader_left_is_billed_for_what_it_had_said() -> None:
    async with a_laboratory({"small": [streams(a_stream()[:3], hang=True)]}) as lab:
        chunks = await lab.open(a_task(stream=True), a_plan("small"))
        await anext(chunks)
        await chunks.aclose()
        (attempt,) = lab.run.attempts
        assert (attempt.outcome, attempt.estimated) == ("cancelled", True)
        assert attempt.usage is not None
        assert attempt.usage.output_tokens >= 1
        assert lab.run.cost_usd == attempt.cost_usd > 0


async def test_a_stream_that_broke_is_billed_for_what_it_had_said() -> None:
    async with a_laboratory({"small": [streams([*a_stream()[:3], None], cut=True)]}) as lab:
        await lab.ask_broken(a_task(stream=True), a_plan("small"))
        assert lab.run.cost_usd > 0
        assert lab.run.attempts[0].estimated
