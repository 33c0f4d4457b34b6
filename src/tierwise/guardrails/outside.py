"""Code of one's own that looks at texts: any `module:function`, and what is installed for it.

It may raise, hang or say nonsense. It runs in a thread of its own with a limit, and what it says is
made spans here or refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from tierwise.errors import ConfigError
from tierwise.guardrails.base import MOST_LABEL_CHARS, Span, Text

GROUP = "tierwise.guardrails"
LIMIT_S = 5.0
"""The time that it has for all texts of a request or an answer, in seconds."""
_THREADS = 8
"""How many look at a time. One that hangs keeps its place: it cannot be ended from outside."""

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
        self._look = look
        self._label = label
        self._threshold = threshold
        self._roles = roles
        self._limit_s = limit_s
        self._hanging = 0
        self._free = asyncio.Semaphore(_THREADS)

    async def look(self, texts: Sequence[Text]) -> Sequence[Sequence[Span]]:
        """As `Guardrail` has it.

        Raises:
            TimeoutError: it takes too long, or has done so too often.
            ValueError: it says what is none of the above.
            Exception: whatever it raises.
        """
        if self._hanging >= _THREADS:
            raise TimeoutError(f"{self._hanging} threads hang in it")
        said = [one.text if not self._roles or one.role in self._roles else "" for one in texts]
        async with asyncio.timeout(self._limit_s):
            if inspect.iscoroutinefunction(self._look):
                found = [await self._look(text) if text else None for text in said]
            else:
                found = await self._apart(said)
        return [self._spans(text, one) for text, one in zip(said, found, strict=True)]

    async def _apart(self, said: Sequence[str]) -> list[Any]:
        """What the function says, asked in a thread which ends with the process if it hangs."""
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[Any]] = loop.create_future()

        def over(found: list[Any], error: BaseException | None) -> None:
            self._free.release()
            if answer.cancelled():
                self._hanging -= 1  # it was only slow
            elif error is None:
                answer.set_result(found)
            else:
                answer.set_exception(error)

        def work() -> None:
            found: list[Any] = []
            error: BaseException | None = None
            try:
                found = [self._look(text) if text else None for text in said]
            except Exception as raised:  # noqa: BLE001 - it goes to whoever asked
                error = raised
            except BaseException as raised:  # noqa: BLE001 - `sys.exit()` must not end a request
                error = RuntimeError(f"{type(raised).__name__}: {raised}")
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(over, found, error)

        threading.Thread(target=work, name=f"guardrail {self._label}", daemon=True).start()
        try:
            return await answer
        except asyncio.CancelledError:
            self._hanging += answer.cancelled()
            raise

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


def load(name: str) -> Look:
    """The function at `module:function`, or the one that is installed under this name.

    The working directory is looked in as well, after everything that is installed. A class is made
    without arguments, and its `look` is taken if it has one.

    Raises:
        ConfigError: there is none, or it cannot be imported.
    """
    target = name
    if ":" not in name:
        installed = {point.name: point.value for point in entry_points(group=GROUP)}
        if name not in installed:
            raise _unusable(name, "is unknown")
        target = installed[name]
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    module, _, attribute = target.partition(":")
    try:
        found: Any = import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
        found = found() if inspect.isclass(found) else found
    except (Exception, SystemExit) as error:
        raise _unusable(name, f"cannot be used: {type(error).__name__}: {error}") from error
    look: Look = getattr(found, "look", found)
    if not callable(look):
        raise _unusable(name, "cannot be called with a text")
    return look


def _unusable(name: str, why: str) -> ConfigError:
    return ConfigError(
        f"{name!r} {why}",
        remedy="Use patterns, pii, injection or ceilings; your own are named `module:function`.",
    )
