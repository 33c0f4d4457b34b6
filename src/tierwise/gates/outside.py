"""Gates of somebody else's: any `module:attribute`, and the entry points `tierwise.gates`.

Such a gate may raise, hang or say nonsense. It is run in a thread of its own, so that the event
loop goes on meanwhile, and what it says is made a verdict here or refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import inspect
import math
import sys
import threading
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from tierwise.errors import ConfigError
from tierwise.types import Completion, Task, Verdict

LIMIT_S = 2.0
"""The time that a gate has for one verdict, in seconds, unless its `limit_s` says otherwise."""
_THREADS = 8
"""Answers that one gate judges at a time. A thread cannot be ended from outside, so a gate that
hangs keeps as many as it is given."""
_REASON_CHARS = 300

Opinion = Callable[[Task, Completion], Any]


class OutsideGate:
    """A gate from outside Tierwise: what it says becomes a verdict in its configured name.

    It is a function `(task, answer)`, plain or async, or an object whose `judge` is one. It gives
    a `Verdict`, a probability, a bool, or None where it has nothing to say.
    """

    def __init__(
        self, name: str, opinion: Opinion, *, limit_s: float = LIMIT_S, threads: int = _THREADS
    ) -> None:
        self.name = name
        self.limit_s = limit_s
        self._opinion = opinion
        self._is_async = _is_async(opinion)
        self._threads = threads
        self._free = asyncio.Semaphore(threads)
        self._stuck = 0

    async def judge_slowly(self, task: Task, answer: Completion) -> Verdict | None:
        """The gate's verdict.

        Raises:
            Exception: whatever the gate raises.
            ValueError: what it says is no verdict.
            TimeoutError: all its threads hang.
        """
        if self._stuck >= self._threads:
            raise TimeoutError(
                f"{self._stuck} {'calls' if self._is_async else 'threads'} hang in it"
            )
        ask = self._aside if self._is_async else self._apart
        return verdict_of(self.name, await ask(task, answer))

    async def _aside(self, task: Task, answer: Completion) -> Any:
        """What the coroutine says; one that goes on when it is told to end is left to itself."""
        asking = asyncio.ensure_future(_kept_in(self._opinion, task, answer))
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

    async def _apart(self, task: Task, answer: Completion) -> Any:
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
                value = self._opinion(task, answer)
            except Exception as raised:  # noqa: BLE001 - it goes to whoever asked
                error = raised
            except BaseException as raised:  # noqa: BLE001 - `sys.exit()` must not end a request
                error = RuntimeError(f"{type(raised).__name__}: {raised}")
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(over, value, error)

        # A daemon, so that a gate that hangs does not keep the process from ending.
        threading.Thread(target=work, name=f"gate {self.name}", daemon=True).start()
        try:
            return await said
        except asyncio.CancelledError:
            if said.cancelled():
                self._stuck += 1
            raise


async def _kept_in(opinion: Opinion, task: Task, answer: Completion) -> Any:
    """What a coroutine says. `sys.exit()` in it must not end the event loop, and so the gateway."""
    try:
        return await opinion(task, answer)
    except SystemExit as raised:
        raise RuntimeError(f"SystemExit: {raised}") from None


def verdict_of(name: str, said: Any) -> Verdict | None:
    """What a gate said as a verdict in its name.

    Raises:
        ValueError: it is neither a verdict nor a probability, a bool or None.
    """
    if said is None:
        return None
    reason = ""
    p = said
    if isinstance(said, Verdict):
        p, reason = said.p, said.reason
    if not isinstance(p, int | float) or not 0.0 <= p <= 1.0 or math.isnan(p):
        raise ValueError(f"{said!r:.200} is no verdict: a probability must be in [0, 1]")
    # The ledger stores it, and half a character cannot be stored.
    words = str(reason)[:_REASON_CHARS].encode("utf-8", "replace").decode()
    return Verdict(gate=name, p=float(p), reason=words)


class _Preparing(OutsideGate):
    """An outside gate that wants to see a task before anybody is asked."""

    def __init__(self, name: str, opinion: Opinion, prepare: Callable[[Task], None]) -> None:
        super().__init__(name, opinion)
        self._prepare = prepare

    def prepare(self, task: Task) -> None:
        """As the gate has it. Raises whatever that raises, and `RuntimeError` if it would exit."""
        try:
            self._prepare(task)
        except SystemExit as raised:
            raise RuntimeError(f"SystemExit: {raised}") from None


def load_outside(name: str, target: str) -> OutsideGate:
    """The gate at `module:attribute`, called `name` in configurations and verdicts.

    A class is built without arguments. The working directory is looked in as well, after
    everything that is installed.

    Raises:
        ConfigError: it cannot be imported or built, or it cannot be called as a gate.
    """
    found = _imported(name, target)
    try:
        gate = found() if inspect.isclass(found) else found
    except (Exception, SystemExit) as error:
        raise _unusable(name, f"cannot be built: {type(error).__name__}: {error}") from error
    opinion = getattr(gate, "judge_slowly", None) or getattr(gate, "judge", gate)
    if not callable(opinion) or not _takes_two(opinion):
        raise _unusable(name, "cannot be called with a task and an answer")
    limit = getattr(gate, "limit_s", LIMIT_S)
    if not isinstance(limit, int | float) or not 0.0 < limit < math.inf:
        raise _unusable(name, f"has a `limit_s` of {limit!r}, which is no number of seconds")
    prepare = getattr(gate, "prepare", None)
    made = _Preparing(name, opinion, prepare) if prepare else OutsideGate(name, opinion)
    made.limit_s = float(limit)
    return made


def _imported(name: str, target: str) -> Any:
    module_name, _, attribute = target.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        found: Any = import_module(module_name)
    except (Exception, SystemExit) as error:
        raise _unusable(
            name,
            f"cannot be imported: {type(error).__name__}: {error}",
            f"See that `python -c 'import {module_name}'` works where Tierwise is started.",
        ) from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            near = difflib.get_close_matches(part, [a for a in vars(found) if a[0] != "_"])
            remedy = f"Use one of: {', '.join(near)}." if near else "Name a function or a class."
            raise _unusable(name, f"is not there: {module_name} has no {part!r}", remedy)
        found = getattr(found, part)
    return found


def _unusable(name: str, why: str, remedy: str = "") -> ConfigError:
    return ConfigError(
        f"the gate {name!r} {why}",
        field="gates",
        remedy=remedy or "A gate is a function (task, answer), or a class whose `judge` is one.",
    )


def _takes_two(opinion: Opinion) -> bool:
    try:
        inspect.signature(opinion).bind(None, None)
    except TypeError:
        return False
    except ValueError:  # some builtins do not say what they take
        return True
    return True


def _is_async(opinion: Opinion) -> bool:
    called: Callable[..., Awaitable[Any]] | Any = getattr(opinion, "__call__", None)  # noqa: B004
    return inspect.iscoroutinefunction(opinion) or inspect.iscoroutinefunction(called)
