"""Small builders for the nouns of Tierwise: sensible values, and whatever a test cares about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from tierwise.certificate import Baseline, Certificate, Combination, Curve, Threshold
from tierwise.types import (
    Attempt,
    Candidate,
    Decision,
    Deployment,
    Estimate,
    Model,
    Plan,
    Policy,
    Prices,
    Profile,
    Record,
    Task,
    Tier,
    Usage,
)
from tierwise.wire.conversation import Conversation
from tierwise.wire.features import unsupported
from tierwise.wire.openai_chat import read_request

PRICES = Prices(input=1.0, output=2.0)


def a_body(prompt: str = "What is the capital of France?", **fields: Any) -> bytes:
    """The body of a chat request."""
    body = {"model": "auto", "messages": [{"role": "user", "content": prompt}], **fields}
    return json.dumps(body).encode()


def a_task(prompt: str = "What is the capital of France?", **fields: Any) -> Task:
    """A task, read from a body with these fields; `Task`'s own fields may be set as well."""
    own = {name: fields.pop(name) for name in _TASK_ONLY if name in fields}
    return replace(read_request(a_body(prompt, **fields)), **own)


_TASK_ONLY = (
    *("policy", "quality", "max_cost_usd", "max_latency_s", "session", "caller", "deadline"),
    "drop_unsupported",
    "body",
)


def a_model(name: str = "small", **fields: Any) -> Model:
    """A model that can do everything."""
    defaults: dict[str, Any] = {
        "prices": PRICES,
        "quality": 0.8,
        "capabilities": frozenset(
            {"tools", "json_schema", "json_mode", "vision", "audio", "documents", "logprobs"}
        ),
    }
    return Model(id=name, **{**defaults, **fields})


def a_deployment(model: str = "small", provider: str = "near", **fields: Any) -> Deployment:
    """A place where a model is served; nobody listens there unless a URL is given."""
    defaults: dict[str, Any] = {
        "id": f"{provider}/{model}",
        "dialect": "openai_compatible",
        "base_url": "http://127.0.0.1:9/v1",
        "upstream_model": model,
        "prices": PRICES,
    }
    return Deployment(model=model, provider=provider, **{**defaults, **fields})


def a_policy(name: str = "auto", **fields: Any) -> Policy:
    """A policy with the usual defaults."""
    return Policy(name=name, **fields)


def a_profile(**fields: Any) -> Profile:
    """What analysis might have found."""
    defaults: dict[str, Any] = {
        "kind": "qa",
        "domain": "general",
        "difficulty": 0.4,
        "input_tokens": 100,
        "output_tokens": 100,
    }
    return Profile(**{**defaults, **fields})


def a_plan(*tiers: Tier | str, fallbacks: tuple[str, ...] = (), **fields: Any) -> Plan:
    """A plan of these tiers that waits for nobody; a name alone is a tier without gates."""
    fields.setdefault("wait_s", 0.0)
    made = tuple(Tier(model=tier) if isinstance(tier, str) else tier for tier in tiers)
    return Plan(tiers=made or (Tier(model="small"),), fallbacks=fallbacks, **fields)


def a_decision(plan: Plan | None = None, **fields: Any) -> Decision:
    """A decision for a plan."""
    defaults: dict[str, Any] = {
        "id": "d1",
        "at": 1_700_000_000.0,
        "requested": "auto",
        "policy": "auto",
        "reference": "large",
        "profile": a_profile(),
        "candidates": (),
        "reason": "a test wants it",
    }
    return Decision(plan=plan or a_plan(), **{**defaults, **fields})


def an_attempt(**fields: Any) -> Attempt:
    """A call that went well."""
    defaults: dict[str, Any] = {
        "deployment": "near/small",
        "model": "small",
        "tier": 1,
        "outcome": "accepted",
        "status": 200,
        "usage": Usage(input_tokens=100, output_tokens=50),
        "cost_usd": 0.0002,
        "latency_s": 0.5,
    }
    return Attempt(**{**defaults, **fields})


def a_record(**fields: Any) -> Record:
    """A request that went well, as the ledger keeps it."""
    attempt = an_attempt()
    defaults: dict[str, Any] = {
        "decision": a_decision(),
        "attempts": (attempt,),
        "status": "ok",
        "cost_usd": attempt.cost_usd,
        "reference_cost_usd": 0.001,
        "latency_s": attempt.latency_s,
        "model": "small",
        "deployment": "near/small",
        "tier": 1,
        "usage": attempt.usage,
    }
    return Record(**{**defaults, **fields})


SAME = Curve((0.0, 1.0), (0.0, 1.0))
SHORT = Baseline("length", (50.0,), (900, 100))
"""Nine answers in ten are shorter than 50 characters."""


def a_threshold(accept: float = 0.75, traffic: str = "") -> Threshold:
    """Where to accept."""
    return Threshold(
        traffic=traffic, accept=accept, rows=1000, wrong=20, bound=0.04, accepted=0.7, saving=0.5
    )


def a_certificate(**fields: Any) -> Certificate:
    """For `small` before `large`: whatever no gate gives 0 is acceptable with P = 0.8."""
    odds = 1.3862943611198906  # log(0.8 / 0.2)
    defaults: dict[str, Any] = {
        "created": "2026-03-01",
        "expires": "2999-12-31",
        "sources": ("made-up",),
        "fitted": 600,
        "calibrated": 1000,
        "alpha": 0.05,
        "delta": 0.1,
        "horizon": 1000,
        "method": "by hand",
        "policy": "stepwise",
        "policy_hash": "",
        "reference": "large",
        "tiers": ("small",),
        "gates": ("complete", "json_schema"),
        "thresholds": (a_threshold(),),
        "combination": Combination(
            base=0.7, intercept=odds, prior=0.0, prior_missing=0.0, gates=(), curve=SAME, rows=600
        ),
        "baselines": (SHORT,),
    }
    return Certificate(**{**defaults, **fields})


def an_answer(
    text: str | None = "Paris.",
    *,
    model: str | None = "small",
    finish_reason: str = "stop",
    usage: Mapping[str, Any] | None = None,
    **message: Any,
) -> dict[str, Any]:
    """A whole answer as a provider sends it."""
    answer: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, **message},
                "finish_reason": finish_reason,
            }
        ],
        "usage": usage or {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150},
    }
    return answer if model is None else {**answer, "model": model}


def a_chunk(
    text: str | None = None,
    *,
    model: str | None = "small",
    finish_reason: str | None = None,
    **fields: Any,
) -> bytes:
    """One event of a stream, with its blank line."""
    delta = {} if text is None else {"content": text}
    chunk: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
        **fields,
    }
    if model is not None:
        chunk["model"] = model
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def a_stream(
    text: str = "Paris is it.",
    *,
    model: str | None = "small",
    usage: Mapping[str, Any] | None = None,
    finish_reason: str = "stop",
) -> list[bytes]:
    """The events of a stream that says `text` word by word and ends as OpenAI's do."""
    events = [a_chunk(word, model=model) for word in text.split(" ")]
    events.append(a_chunk(model=model, finish_reason=finish_reason))
    counted = usage or {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}
    events.append(a_chunk(model=model, choices=[], usage=counted))
    return [*events, DONE]


def a_candidate(model: str, quality: float, cost_usd: float) -> Candidate:
    """One of a plan's tiers, of which just so much is expected."""
    estimate = Estimate(
        quality=quality, quality_low=quality, cost_usd=cost_usd, cost_p90_usd=cost_usd,
        ttft_s=0.1, latency_s=1.0,
    )  # fmt: skip
    return Candidate(model=model, role="tier", why="", estimate=estimate)


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += seconds


def foreign_to(asked: Conversation, dialect: str) -> list[str]:
    """The fields, tools and pieces of a request that a dialect does not know, by their names."""
    lacks = unsupported(asked, dialect)
    return [one.word for one in lacks if one.feature in ("field", "tool", "piece")]
