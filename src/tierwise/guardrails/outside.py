"""Code of one's own that looks at texts: any `module:function`, and what is installed for it.

It may raise, hang or say nonsense. It runs apart (see `theirs`) with a limit, and what it says is
made spans here or refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import entry_points
from typing import Any

from tierwise.errors import ConfigError
from tierwise.guardrails.base import MOST_LABEL_CHARS, Span, Text
from tierwise.theirs import NotThere, Theirs, found_at, is_async

GROUP = "tierwise.guardrails"
LIMIT_S = 5.0
"""The time that it has for all texts of a request or an answer, in seconds."""

Look = Callable[[str], Any]


class Outside:
    """A function of one text, plain or async, that says what is in it.

    It gives spans: `(start, end)` or `(start, end, label)`, or objects with these as attributes; or
    True, or a probability, of the text as a whole; False or None where there is nothing.

    Args:
        label: of what it finds, where it does not say.
        threshold: the probability from which on something is found.
        roles: whose texts it is shown; empty: everybody's.
    """

    def __init__(
        self,
        look: Look,
        *,
        label: str,
        threshold: float = 0.5,
        roles: Sequence[str] = (),
        limit_s: float = LIMIT_S,
    ) -> None:
        self._theirs = Theirs(f"guardrail {label}", _of_all(look))
        self._label = label
        self._threshold = threshold
        self._roles = roles
        self._limit_s = limit_s

    async def look(self, texts: Sequence[Text]) -> Sequence[Sequence[Span]]:
        """As `Guardrail` has it.

        Raises:
            TimeoutError: it takes too long, or has done so too often.
            ValueError: it says what is none of the above.
            Exception: whatever it raises.
        """
        said = [one.text if not self._roles or one.role in self._roles else "" for one in texts]
        async with asyncio.timeout(self._limit_s):
            found = await self._theirs.ask(said)
        return [self._spans(text, one) for text, one in zip(said, found, strict=True)]

    def _spans(self, text: str, found: Any) -> list[Span]:
        if found is None or found is False:
            return []
        if isinstance(found, (int, float)):  # True is 1
            if not 0.0 <= found <= 1.0:
                raise ValueError(f"a probability of {found} is not in [0, 1]")
            return [Span(0, len(text), self._label)] if found >= self._threshold else []
        if isinstance(found, (str, bytes)) or not isinstance(found, Iterable):
            raise ValueError(f"{found!r:.200} is neither spans nor a probability")
        return [self._span(text, one) for one in found]

    def _span(self, text: str, found: Any) -> Span:
        if isinstance(found, tuple):
            start, end, label = (*found, self._label)[:3]
        else:
            start, end = getattr(found, "start", None), getattr(found, "end", None)
            label = getattr(found, "label", self._label)
        whole = isinstance(start, int) and isinstance(end, int)
        if not whole or not 0 <= start < end <= len(text):
            raise ValueError(f"{found!r:.200} is no part of a text of {len(text)} characters")
        return Span(start, end, str(label)[:MOST_LABEL_CHARS] or self._label)


def _of_all(look: Look) -> Callable[[Sequence[str]], Any]:
    """The function of all texts together, so that one thread does for them."""
    if is_async(look):

        async def awaited(said: Sequence[str]) -> list[Any]:
            return [await look(text) if text else None for text in said]

        return awaited
    return lambda said: [look(text) if text else None for text in said]


def load(name: str) -> Look:
    """The function at `module:function` (see `theirs.found_at`), or the one that is installed under
    this name. Of an object its `look` is taken if it has one.

    Raises:
        ConfigError: there is none, or it cannot be imported.
    """
    target = name
    if ":" not in name:
        installed = {point.name: point.value for point in entry_points(group=GROUP)}
        if name not in installed:
            raise _unusable(name, "is unknown")
        target = installed[name]
    try:
        found = found_at(target)
    except NotThere as error:
        raise _unusable(name, error.why, error.remedy) from error
    look: Look = getattr(found, "look", found)
    if not callable(look):
        raise _unusable(name, "cannot be called with a text")
    return look


def _unusable(name: str, why: str, remedy: str = "") -> ConfigError:
    kinds = "Use patterns, pii, injection or ceilings; your own are named `module:function`."
    return ConfigError(f"{name!r} {why}", remedy=remedy or kinds)
