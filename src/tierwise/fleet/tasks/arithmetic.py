"""Word problems: a quantity and what happens to it, step by step."""

from __future__ import annotations

import random
import re

from msgspec import Struct

from tierwise.fleet.tasks.base import Task, ask
from tierwise.types import Domain


class _Setting(Struct, frozen=True):
    """A story: how it opens, what adds, what takes away, what multiplies, what is asked."""

    domain: Domain
    opening: str
    adds: tuple[str, ...]
    takes: tuple[str, ...]
    multiplies: tuple[str, ...]
    question: str


_SETTINGS = (
    _Setting(
        "finance",
        "Account {number} opens the quarter with a balance of {n} dollars.",
        ("A dividend of {n} dollars is paid in.", "An invoice over {n} dollars is settled to it."),
        ("Tax of {n} dollars is deducted.", "A loan instalment of {n} dollars leaves it."),
        ("A merger multiplies the balance by {n}.",),
        "What is the balance in dollars?",
    ),
    _Setting(
        "medical",
        "Ward {number} starts the week with {n} doses of a vaccine.",
        ("A delivery brings {n} doses.", "The clinic next door lends {n} doses."),
        ("Patients receive {n} doses.", "A nurse discards {n} expired doses."),
        ("The pharmacy then multiplies the stock by {n}.",),
        "How many doses does the ward have?",
    ),
    _Setting(
        "support",
        "The helpdesk queue {number} holds {n} open tickets.",
        ("Customers open {n} more tickets.", "An outage adds {n} tickets."),
        ("The agents close {n} tickets.", "{n} tickets are merged into others."),
        ("A faulty script multiplies the open tickets by {n}.",),
        "How many tickets are open?",
    ),
    _Setting(
        "mathematics",
        "Take the integer {n} (exercise {number}).",
        ("Add {n} to the result.", "Increase the result by {n}."),
        ("Subtract {n} from the result.", "Decrease the result by {n}."),
        ("Compute the product of the result and {n}.",),
        "Which integer is the result?",
    ),
)
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


def make(rng: random.Random, number: int) -> Task:
    """One to seven steps; each makes it harder."""
    setting = _SETTINGS[number % len(_SETTINGS)]
    steps = rng.randint(1, 7)
    value = rng.randint(40, 900)
    story = [setting.opening.format(number=number, n=value)]
    working = []
    slips = []
    for step in range(steps):
        before = value
        kind = rng.choice("++--*") if step else rng.choice("+-")
        if kind == "*":
            amount = rng.randint(2, 4)
            value *= amount
            story.append(rng.choice(setting.multiplies).format(n=amount))
        elif kind == "+" or value < 30:
            kind, amount = "+", rng.randint(11, 400)
            value += amount
            story.append(rng.choice(setting.adds).format(n=amount))
        else:
            amount = rng.randint(5, max(6, value - 5))
            value -= amount
            story.append(rng.choice(setting.takes).format(n=amount))
        working.append(f"{before} {kind} {amount} = {value}")
        slips.append(amount)
    right = _write(working, value)
    wrong = {value + rng.choice((-10, 10)), value + rng.choice(slips), value - 1}
    return Task(
        request=ask(
            " ".join(story)
            + f" {setting.question} Calculate step by step and end with `Answer:` and the number."
        ),
        kind="math",
        domain=setting.domain,
        difficulty=min(0.95, 0.08 + 0.13 * steps),
        right=right,
        wrong=tuple(_write(working, one) for one in sorted(wrong) if one != value),
        check=lambda answer: _score(answer, value),
    )


def _write(working: list[str], value: int) -> str:
    # A wrong total is the wrong end of a right-looking calculation, as models write it.
    steps = [*working[:-1], working[-1].rsplit("=", 1)[0] + f"= {value}"]
    return "\n".join(f"Step {i}: {line}" for i, line in enumerate(steps, 1)) + f"\nAnswer: {value}"


def _score(answer: str, value: int) -> float:
    numbers = _NUMBER.findall(answer)
    return float(bool(numbers) and float(numbers[-1].replace(",", "")) == value)
