"""Other people's code: found by its name, and run so that it cannot stop or end the gateway.

It may raise, hang or want to exit. A function runs in a thread of its own, a coroutine in a task of
its own; one that does not end when nobody waits for it any more is left to itself and counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import inspect
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

AT_A_TIME = 8
"""Calls of one function at a time. A thread cannot be ended from outside, so one that hangs keeps
as many as it is given."""


class Theirs:
    """A function of somebody else's, plain or async.

    Args:
        name: of its threads.
        at_a_time: how many may ask it, and hang in it.
    """

    def __init__(
        self, name: str, function: Callable[..., Any], *, at_a_time: int = AT_A_TIME
    ) -> None:
        self._name = name
        self._function = function
        self._is_async = is_async(function)
        self._at_a_time = at_a_time
        self._free = asyncio.Semaphore(at_a_time)
        self._stuck = 0

    @property
    def stuck(self) -> int:
        """How many calls go on that nobody waits for."""
        return self._stuck

    async def ask(self, *arguments: Any) -> Any:
        """What it says.

        Raises:
            TimeoutError: as many calls as it may have hang in it.
            RuntimeError: it wants to exit.
            Exception: whatever it raises.
        """
        if self._stuck >= self._at_a_time:
            raise TimeoutError(
                f"{self._stuck} {'calls' if self._is_async else 'threads'} hang in it"
            )
        return await (self._aside if self._is_async else self._apart)(arguments)

    async def _aside(self, arguments: tuple[Any, ...]) -> Any:
        """What the coroutine says; one that goes on when it is told to end is left to itself."""
        asking = asyncio.ensure_future(_kept_in(self._function, arguments))
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            if not asking.done():
                self._stuck += 1
                asking.add_done_callback(self._ended)
                asking.cancel()
            raise

    def _ended(self, asking: asyncio.Future[Any]) -> None:
        self._stuck -= 1
        if not asking.cancelled():
            asking.exception()  # nobody else wants to know

    async def _apart(self, arguments: tuple[Any, ...]) -> Any:
        """What the function says, asked in a thread."""
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        said: asyncio.Future[Any] = loop.create_future()

        def over(value: Any, error: BaseException | None) -> None:
            self._free.release()
            if said.cancelled():
                self._stuck -= 1  # it was only slow
            elif error is None:
                said.set_result(value)
            else:
                said.set_exception(error)

        def work() -> None:
            value: Any = None
            error: BaseException | None = None
            try:
                value = self._function(*arguments)
            except Exception as raised:  # noqa: BLE001 - it goes to whoever asked
                error = raised
            except BaseException as raised:  # noqa: BLE001 - `sys.exit()` must not end a request
                error = RuntimeError(f"{type(raised).__name__}: {raised}")
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(over, value, error)

        # A daemon, so that one that hangs does not keep the process from ending.
        threading.Thread(target=work, name=self._name, daemon=True).start()
        try:
            return await said
        except asyncio.CancelledError:
            if said.cancelled():
                self._stuck += 1
            raise


async def _kept_in(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """What a coroutine says. `sys.exit()` in it must not end the event loop, and so the gateway."""
    try:
        return await function(*arguments)
    except SystemExit as raised:
        raise RuntimeError(f"SystemExit: {raised}") from None


def is_async(function: Callable[..., Any]) -> bool:
    """Whether what it says has to be awaited."""
    called: Any = getattr(function, "__call__", None)  # noqa: B004
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)


class NotThere(Exception):
    """What was named cannot be used: why not, as the end of a sentence, and what to do."""

    def __init__(self, why: str, remedy: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.remedy = remedy


def found_at(target: str) -> Any:
    """What stands at `module:attribute`, a class as one made without arguments.

    The working directory is looked in as well, after everything that is installed.

    Raises:
        NotThere: it cannot be imported or made.
    """
    module_name, _, attribute = target.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        found: Any = import_module(module_name)
    except (Exception, SystemExit) as error:
        raise NotThere(
            f"cannot be imported: {type(error).__name__}: {error}",
            f"See that `python -c 'import {module_name}'` works where Tierwise is started.",
        ) from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            near = difflib.get_close_matches(part, [a for a in vars(found) if a[0] != "_"])
            remedy = f"Use one of: {', '.join(near)}." if near else "Name a function or a class."
            raise NotThere(f"is not there: {module_name} has no {part!r}", remedy)
        found = getattr(found, part)
    if not inspect.isclass(found):
        return found
    try:
        return found()
    except (Exception, SystemExit) as error:
        raise NotThere(f"cannot be built: {type(error).__name__}: {error}") from error
