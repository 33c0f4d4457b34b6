"""What every kind of generated task has in common."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from tierwise.types import Domain, Kind

Check = Callable[[str], float | None]
"""Score of an answer in [0, 1]; None where right or wrong cannot be told."""


class Task(Struct, frozen=True, kw_only=True):
    """A generated task and everything that is known about its answers.

    `right` is what a model says that gets it right, `wrong` what others say: plausible mistakes,
    some of which a gate can see (broken JSON) and some not (a slipped sum). With `tool` these
    are texts of tool calls, see `call_text`. Where `strict`, an answer has a prescribed form and
    no model puts words around it. `difficulty` in [0, 1].
    """

    request: dict[str, Any]
    kind: Kind
    domain: Domain
    difficulty: float
    right: str
    wrong: tuple[str, ...]
    check: Check
    strict: bool = False
    tool: bool = False


Maker = Callable[[random.Random, int], Task]
"""Makes a task; the number is in its prompt, so that no two prompts are the same."""


def ask(prompt: str, **fields: Any) -> dict[str, Any]:
    """The fields of a request with one user message."""
    return {"messages": [{"role": "user", "content": prompt}], **fields}


FIRST = ("Amara", "Bruno", "Chen", "Dalia", "Emeka", "Farah", "Goran", "Hanna", "Ines", "Jonas")
LAST = ("Abbott", "Brandt", "Castillo", "Dumont", "Eriksen", "Fischer", "Gupta", "Haddad", "Ito")


def person(rng: random.Random) -> str:
    """A name."""
    return f"{rng.choice(FIRST)} {rng.choice(LAST)}"
