"""Facts in a text, wanted as JSON; half of the requests declare the schema."""

from __future__ import annotations

import json
import random
from typing import Any

from tierwise.fleet.tasks.base import Task, ask, person
from tierwise.types import Domain

_TOWNS = ("Bergen", "Cadiz", "Dresden", "Galway", "Lyon", "Porto", "Turin", "Utrecht")
_Facts = tuple[tuple[str, str | int, str], ...]


def _invoice(rng: random.Random, number: int) -> _Facts:
    return (
        ("invoice_number", f"INV-{number}", "Invoice {v} was issued"),
        ("customer", person(rng), "to {v}"),
        ("amount_usd", rng.randint(100, 9900), "over {v} dollars"),
        ("city", rng.choice(_TOWNS), "by the branch in {v}"),
        ("due_days", rng.choice((10, 14, 30, 60)), "payable within {v} days"),
        ("tax_percent", rng.choice((7, 10, 19, 21)), "including {v} percent tax"),
    )


def _lease(rng: random.Random, number: int) -> _Facts:
    return (
        ("contract_id", f"LEASE-{number}", "By contract {v}"),
        ("landlord", person(rng), "the landlord {v}"),
        ("tenant", person(rng), "lets the flat to the tenant {v}"),
        ("city", rng.choice(_TOWNS), "in {v}"),
        ("term_months", rng.choice((12, 24, 36, 48)), "for {v} months"),
        ("deposit_usd", rng.randint(500, 4000), "against a deposit of {v} dollars"),
    )


def _referral(rng: random.Random, number: int) -> _Facts:
    return (
        ("case_id", f"CASE-{number}", "In case {v}"),
        ("patient", person(rng), "the patient {v}"),
        ("age", rng.randint(19, 90), "aged {v}"),
        ("drug", rng.choice(("ibuprofen", "metformin", "ramipril")), "was given {v}"),
        ("dose_mg", rng.choice((5, 10, 200, 500)), "at a dose of {v} mg"),
        ("physician", person(rng), "by the physician {v}"),
    )


def _order(rng: random.Random, number: int) -> _Facts:
    return (
        ("order_id", f"ORD-{number}", "Order {v} was placed"),
        ("customer", person(rng), "by the customer {v}"),
        ("quantity", rng.randint(1, 40), "for {v} pieces"),
        ("city", rng.choice(_TOWNS), "with delivery to {v}"),
        ("courier", rng.choice(("Swift", "Orbit", "Parcelo")), "by the courier {v}"),
        ("weight_kg", rng.randint(2, 80), "weighing {v} kg"),
    )


_MAKERS = (
    ("finance", _invoice),
    ("legal", _lease),
    ("medical", _referral),
    ("support", _order),
)


def make(rng: random.Random, number: int) -> Task:
    """Two to six fields; more are harder."""
    domain: Domain
    domain, facts_of = _MAKERS[number % len(_MAKERS)]  # type: ignore[assignment]
    facts = facts_of(rng, number)
    fields = rng.randint(2, len(facts))
    wanted = {name: value for name, value, _ in facts[:fields]}
    text = " ".join(words.format(v=value) for _, value, words in facts) + "."
    extra: dict[str, Any] = {}
    if rng.random() < 0.5:
        schema = {"name": "facts", "strict": True, "schema": _schema(wanted)}
        extra["response_format"] = {"type": "json_schema", "json_schema": schema}
    return Task(
        request=ask(
            f"Extract these fields as one JSON object and nothing else: {', '.join(wanted)}. "
            f"Numbers without units.\n\n{text}",
            **extra,
        ),
        kind="extraction",
        domain=domain,
        difficulty=0.1 + 0.12 * (fields - 2) + rng.uniform(0, 0.2),
        right=json.dumps(wanted),
        wrong=_mistakes(rng, wanted, {name: value for name, value, _ in facts}),
        check=lambda answer: _score(answer, wanted),
        strict=True,
    )


def _mistakes(rng: random.Random, wanted: dict[str, Any], all_facts: dict[str, Any]) -> Any:
    name = rng.choice(list(wanted))
    missing = {key: value for key, value in wanted.items() if key != name}
    other = rng.choice([v for k, v in all_facts.items() if k != name])
    swapped = {**wanted, name: other if isinstance(other, type(wanted[name])) else "unknown"}
    if swapped[name] == wanted[name]:
        swapped[name] = "unknown"
    text = json.dumps(wanted)
    return (
        json.dumps(missing),
        json.dumps(swapped),
        text[:-1] + ",}",
        f"Here are the fields: {', '.join(f'{k} is {v}' for k, v in wanted.items())}.",
    )


def _schema(wanted: dict[str, Any]) -> dict[str, Any]:
    types = {str: "string", int: "integer"}
    return {
        "type": "object",
        "properties": {name: {"type": types[type(value)]} for name, value in wanted.items()},
        "required": list(wanted),
        "additionalProperties": False,
    }


def _score(answer: str, wanted: dict[str, Any]) -> float:
    try:
        return float(json.loads(answer) == wanted)
    except ValueError:
        return 0.0
