"""Tasks for an agent: the right tool has to be called with the right arguments."""

from __future__ import annotations

import json
import random
from typing import Any

from tierwise.fleet.source import call_text
from tierwise.fleet.tasks.base import Task, ask, person
from tierwise.types import Domain

_Field = tuple[str, str]
_TOOLS: dict[Domain, dict[str, tuple[_Field, ...]]] = {
    "support": {
        "open_ticket": (("customer", "string"), ("priority", "integer")),
        "cancel_order": (("order_id", "integer"), ("customer", "string")),
        "issue_refund": (("order_id", "integer"), ("amount", "integer")),
    },
    "finance": {
        "transfer": (("account", "integer"), ("amount", "integer")),
        "book_expense": (("employee", "string"), ("amount", "integer")),
        "block_card": (("employee", "string"), ("card", "integer")),
    },
    "medical": {
        "book_appointment": (("patient", "string"), ("room", "integer")),
        "order_test": (("patient", "string"), ("panel", "integer")),
        "record_dose": (("patient", "string"), ("dose_mg", "integer")),
    },
    "general": {
        "set_alarm": (("hour", "integer"), ("minute", "integer")),
        "add_contact": (("name", "string"), ("phone", "integer")),
        "send_message": (("name", "string"), ("room", "integer")),
    },
}


def make(rng: random.Random, number: int) -> Task:
    """One to three tools on offer; the arguments stand in the sentence, in no fixed order."""
    domain = list(_TOOLS)[number % len(_TOOLS)]
    tools = _TOOLS[domain]
    names = list(tools)
    name = rng.choice(names)
    offered = sorted({name, *rng.sample(names, rng.randint(0, 2))})
    arguments: dict[str, Any] = {
        field: person(rng) if kind == "string" else rng.randint(1, 59) * (number % 7 + 1)
        for field, kind in tools[name]
    }
    told = [f"{field.replace('_', ' ')} {value}" for field, value in arguments.items()]
    rng.shuffle(told)
    other = next((one for one in names if one != name and one in offered), None)
    return Task(
        request=ask(
            f"Request {number}: please {name.replace('_', ' ')} with {' and '.join(told)}.",
            tools=[_declare(one, tools[one]) for one in offered],
        ),
        kind="agent-step",
        domain=domain,
        difficulty=0.15 + 0.18 * (len(offered) - 1) + rng.uniform(0, 0.25),
        right=call_text(name, json.dumps(arguments)),
        wrong=_mistakes(rng, name, arguments, other),
        check=lambda answer: _score(answer, name, arguments),
        strict=True,
        tool=True,
    )


def _declare(name: str, fields: tuple[_Field, ...]) -> dict[str, Any]:
    parameters = {
        "type": "object",
        "properties": {field: {"type": kind} for field, kind in fields},
        "required": [field for field, _ in fields],
        "additionalProperties": False,
    }
    about = name.replace("_", " ").capitalize() + "."
    function = {"name": name, "description": about, "parameters": parameters}
    return {"type": "function", "function": function}


def _mistakes(
    rng: random.Random, name: str, arguments: dict[str, Any], other: str | None
) -> tuple[str, ...]:
    field = rng.choice(list(arguments))
    value = arguments[field]
    slip = {**arguments, field: value + 1 if isinstance(value, int) else value.split()[0]}
    missing = {key: kept for key, kept in arguments.items() if key != field}
    wrong = [call_text(name, json.dumps(slip)), call_text(name, json.dumps(missing))]
    if other is not None:
        wrong.append(call_text(other, json.dumps(arguments)))
    return tuple(wrong)


def _score(answer: str, name: str, arguments: dict[str, Any]) -> float:
    try:
        return float(json.loads(answer) == {"name": name, "arguments": arguments})
    except ValueError:
        return 0.0
