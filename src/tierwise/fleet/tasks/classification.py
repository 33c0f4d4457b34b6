"""Short texts that belong to one of four labels."""

from __future__ import annotations

import random

from tierwise.fleet.tasks.base import Task, ask, person
from tierwise.types import Domain

_LABELS: dict[Domain, dict[str, tuple[str, ...]]] = {
    "support": {
        "refund": ("please send my money back", "I was charged twice and want a refund"),
        "delivery": ("the parcel has not arrived", "the courier left my order at a neighbour"),
        "login": ("the password reset mail never comes", "I am locked out of my account"),
        "cancellation": ("end my subscription this month", "I no longer want the plan"),
    },
    "finance": {
        "payroll": ("salaries for March were transferred", "overtime was paid to the staff"),
        "travel": ("two rail tickets were reimbursed", "the hotel in Lyon was paid by card"),
        "software": ("the yearly licence was renewed", "seats for the design tool were bought"),
        "tax": ("the VAT prepayment was debited", "a fiscal penalty was booked"),
    },
    "legal": {
        "confidentiality": (
            "neither party shall disclose what it learns",
            "secrets stay protected for five years",
        ),
        "termination": (
            "either side may end this contract with notice",
            "a breach allows immediate ending",
        ),
        "liability": ("damages are limited to the fees paid", "no party answers for lost profit"),
        "payment": ("invoices are due in thirty days", "late sums bear statutory interest"),
    },
    "medical": {
        "cardiology": (
            "the patient reports pressure on the chest when climbing stairs",
            "the pulse is irregular",
        ),
        "dermatology": ("a red rash spreads on both arms", "a mole has changed its colour"),
        "neurology": ("numbness of the left hand comes and goes", "headaches with flickering"),
        "orthopaedics": ("the knee gives way on stairs", "the shoulder hurts when lifted"),
    },
}
_SOURCE: dict[Domain, str] = {
    "support": "Customer ticket {number} from {who}",
    "finance": "Ledger entry {number} booked by {who}",
    "legal": "Contract clause {number} drafted by {who}",
    "medical": "Clinic referral {number} for patient {who}",
}


def make(rng: random.Random, number: int) -> Task:
    """Plain ones have one cue; harder ones also mention what they are not about."""
    domain = list(_LABELS)[number % len(_LABELS)]
    labels = list(_LABELS[domain])
    right = rng.choice(labels)
    others = [label for label in labels if label != right]
    rng.shuffle(others)
    distractions = rng.randint(0, 2)
    cue = rng.choice(_LABELS[domain][right])
    text = f"{_SOURCE[domain].format(number=number, who=person(rng))}: {cue}"
    for label in others[:distractions]:
        text += f"; this is not the earlier case in which {rng.choice(_LABELS[domain][label])}"
    shown = sorted(labels)
    return Task(
        request=ask(
            f"Classify this text. Labels: {', '.join(shown)}. Reply with one label only.\n\n{text}."
        ),
        kind="classification",
        domain=domain,
        difficulty=min(0.9, 0.08 + 0.24 * distractions + rng.uniform(0, 0.15)),
        right=right,
        wrong=(*others, f"{right} and {others[0]}"),
        check=lambda answer: float(answer.strip().strip(".`\"'").lower() == right),
        strict=True,
    )
