"""What last week would have cost under another policy: recorded decisions, decided again."""

from __future__ import annotations

import msgspec
import pytest

from tierwise.config import build, from_mapping
from tierwise.dashboard.preview import Preview, preview
from tierwise.dashboard.timeline import why
from tierwise.routing import PriorPredictor
from tierwise.types import (
    CACHE,
    Attempt,
    Candidate,
    Decision,
    Estimate,
    Plan,
    Policy,
    Profile,
    Record,
    Tier,
    Usage,
    Verdict,
)

SETUP = build(
    from_mapping(
        {
            "providers": {
                "alpha": {
                    "preset": "openai_compatible",
                    "base_url": "http://127.0.0.1:1/v1",
                    "api_key": "k",
                    "models": ["small", "large"],
                }
            },
            "models": {
                "small": {"prices": {"input": 1, "output": 1}, "quality": 0.6},
                "large": {"prices": {"input": 10, "output": 10}, "quality": 0.9},
            },
            "policies": {"auto": {"gates": []}},
        },
        {},
    )
)
AUTO = SETUP.policies["auto"]


def estimate(quality: float, cost: float) -> Estimate:
    return Estimate(
        quality=quality, quality_low=quality, cost_usd=cost, cost_p90_usd=cost, ttft_s=1,
        latency_s=1,
    )  # fmt: skip


def record(
    tiers: tuple[str, ...] = ("large",),
    *,
    small: float = 0.8,
    tokens: int = 1000,
    attempts: tuple[Attempt, ...] = (),
    **fields: object,
) -> Record:
    """A request that was planned so; both models were candidates, `large` with quality 0.9."""
    model = tiers[-1] if len(attempts) > 1 else tiers[0]
    price = {"small": 1e-6, "large": 10e-6}
    values = {
        "model": model,
        "deployment": f"alpha/{model}",
        "cost_usd": tokens * price[model],
        "reference_cost_usd": tokens * price["large"],
        "latency_s": 1.0,
        "status": "ok",
        "usage": Usage(input_tokens=tokens // 2, output_tokens=tokens - tokens // 2),
        **fields,
    }
    return Record(
        decision=Decision(
            id="1",
            at=1000.0,
            requested="auto",
            policy="auto",
            reference="large",
            profile=Profile(kind="qa", domain="general", difficulty=0.4),
            plan=Plan(tiers=tuple(Tier(model=name, gates=("json",)) for name in tiers)),
            candidates=(
                Candidate(model="small", role="tier", why="", estimate=estimate(small, 0.001)),
                Candidate(model="large", role="tier", why="", estimate=estimate(0.9, 0.01)),
            ),
            reason="it is good enough",
        ),
        attempts=attempts,
        **values,  # type: ignore[arg-type]
    )


def previewed(policy: Policy, *records: Record, requests: int | None = None) -> Preview:
    return preview(policy, SETUP, PriorPredictor(), records, requests or len(records))


def test_the_same_policy_costs_the_same() -> None:
    same = previewed(AUTO, *[record()] * 3)
    assert same.decided == 3
    assert same.changed == 0
    assert same.would_usd == pytest.approx(same.paid_usd) == pytest.approx(0.03)
    assert same.low_usd == pytest.approx(same.high_usd)


def test_less_quality_goes_to_the_smaller_model_at_its_price() -> None:
    less = previewed(msgspec.structs.replace(AUTO, quality=0.5), *[record()] * 4)
    assert less.changed == 4
    assert less.moved == (("large", "small", 4),)
    assert less.would_usd == pytest.approx(0.1 * less.paid_usd)
    assert less.quality_then == pytest.approx(0.9)
    assert less.quality_now == pytest.approx(0.8)


def test_what_was_expected_then_decides_and_not_the_prior() -> None:
    less = msgspec.structs.replace(AUTO, quality=0.8)
    assert previewed(less, record(small=0.85)).changed == 1
    assert previewed(less, record(small=0.3)).changed == 0


def test_a_sample_stands_for_the_week() -> None:
    week = previewed(msgspec.structs.replace(AUTO, quality=0.5), *[record()] * 5, requests=50)
    assert week.decided == 5
    assert week.paid_usd == pytest.approx(0.5)
    assert week.would_usd == pytest.approx(0.05)


def test_a_week_of_different_requests_has_an_interval() -> None:
    records = [record(tokens=100 * n, small=0.85 if n % 2 else 0.2) for n in range(1, 40)]
    found = previewed(msgspec.structs.replace(AUTO, quality=0.8), *records)
    assert 0 < found.changed < 39
    assert found.low_usd < found.would_usd < found.high_usd


def test_a_policy_that_permits_nobody_is_told() -> None:
    nobody = msgspec.structs.replace(AUTO, deny=("small", "large"))
    found = previewed(nobody, record(), record())
    assert (found.decided, found.refused) == (0, 2)


def test_answers_of_the_cache_and_failures_say_nothing() -> None:
    found = previewed(AUTO, record(deployment=CACHE), record(status="error", model=None))
    assert found.decided == 0


def test_gates_are_taken_to_catch_what_they_caught() -> None:
    def judged(rejected: bool) -> Record:
        first = Attempt(
            deployment="alpha/small", model="small", tier=1,
            outcome="rejected" if rejected else "accepted",
        )  # fmt: skip
        return record(("small", "large"), attempts=(first,), small=0.75)

    caught = previewed(AUTO, *[judged(n < 2) for n in range(16)]).caught
    assert caught == pytest.approx(2 / 4)  # of 16 answers, 4 mistakes were expected
    assert previewed(AUTO, *[judged(n < 1) for n in range(16)]).caught == pytest.approx(1 / 4)


def test_why_names_the_rejected_draft_and_its_reason() -> None:
    rejected = Attempt(
        deployment="alpha/small", model="small", tier=1, outcome="rejected",
        verdicts=(Verdict(gate="json", p=0.1, reason="no JSON"),),
    )  # fmt: skip
    accepted = Attempt(deployment="alpha/large", model="large", tier=2, outcome="accepted")
    told = why(record(("small", "large"), attempts=(rejected, accepted)))
    assert "began with small" in told
    assert "(no JSON)" in told
    assert "large was asked and answered" in told


def test_why_of_a_rejected_draft_that_was_given_as_there_was_no_better() -> None:
    rejected = Attempt(
        deployment="alpha/small", model="small", tier=1, outcome="rejected",
        verdicts=(Verdict(gate="json", p=0.1, reason="no JSON"),),
    )  # fmt: skip
    failed = Attempt(deployment="alpha/large", model="large", tier=2, outcome="connect_failed")
    told = why(record(("small", "large"), attempts=(rejected, failed), model="small"))
    assert "(no JSON), and nobody gave a better answer" in told
    assert "that of small was given all the same" in told
    assert "small was asked and answered" not in told


def test_why_compares_a_cheaper_model_with_the_reference() -> None:
    told = why(record(("small",)))
    assert "89 % as well as large, at 1/10 of its cost" in told


def test_why_of_a_named_model_a_cached_answer_and_a_failure() -> None:
    named = record()
    named = msgspec.structs.replace(
        named, decision=msgspec.structs.replace(named.decision, policy=None)
    )
    assert why(named) == "large answered because the caller named it."
    assert "asked before" in why(record(deployment=CACHE))
    assert "AllPathsFailed" in why(record(model=None, status="error", error="AllPathsFailed"))
