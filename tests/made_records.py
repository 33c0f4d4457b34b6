"""Records to fill a ledger with."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import msgspec
import pytest

from tierwise.types import Attempt, Decision, Plan, Profile, Record, Tier, Usage

MakeRecord = Callable[..., Record]

_BLANK = Record(
    decision=Decision(
        id="",
        at=0.0,
        requested="auto",
        policy="auto",
        reference="large",
        profile=Profile(kind="qa", domain="general", difficulty=0.4),
        plan=Plan(tiers=(Tier(model="small"),)),
        candidates=(),
        reason="because",
    ),
    attempts=(),
    status="ok",
    cost_usd=0.0,
    reference_cost_usd=0.0,
    latency_s=1.0,
)


@pytest.fixture
def make_record() -> MakeRecord:
    """A record of an ok request that `small` answered, with any field of it or of its decision
    changed; ids and times count up from 1."""
    numbers = count(1)

    def make(**changes: Any) -> Record:
        number = next(numbers)
        decision = {"id": f"id-{number:04}", "at": float(number)}
        for name in Decision.__struct_fields__:
            if name in changes:
                decision[name] = changes.pop(name)
        profile = msgspec.structs.replace(
            _BLANK.decision.profile,
            **{name: changes.pop(name) for name in ("kind", "domain") if name in changes},
        )
        cost = changes.get("cost_usd", 0.001)
        usage = Usage(input_tokens=100, output_tokens=10)
        attempt = Attempt(
            deployment="alpha/small",
            model="small",
            tier=1,
            outcome="accepted",
            status=200,
            usage=usage,
            cost_usd=cost,
        )
        values = {
            "attempts": (attempt,),
            "cost_usd": cost,
            "reference_cost_usd": 0.01,
            "model": "small",
            "deployment": "alpha/small",
            "tier": 1,
            "usage": usage,
            **changes,
        }
        return msgspec.structs.replace(
            _BLANK,
            decision=msgspec.structs.replace(_BLANK.decision, profile=profile, **decision),
            **values,
        )

    return make
