"""What each client may still ask for."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Protocol

from msgspec import Struct

from tierwise.errors import Overloaded
from tierwise.state.limits import Limiter
from tierwise.types import Limits, Usage

_NONE = Limits()


class Refusal(Struct, frozen=True):
    """A client has used up what it may ask for.

    `wait_s` is for how many seconds, `running` how many of its requests are under way, and
    `crowded` whether it has to wait for one of those.
    """

    wait_s: float
    running: int
    crowded: bool


class Taking(Protocol):
    """What a request has taken of its client's limits, until the end of the block."""

    def used(self, usage: Usage) -> None:
        """The tokens of the answer are known; without one, what was expected counts."""

    def __enter__(self) -> Taking: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Shared(Protocol):
    """Counts for all replicas what clients take."""

    async def take(self, caller: str, limits: Limits, tokens: int) -> Taking | Refusal:
        """A request of a client begins, if it may: tokens are those that it may well take."""


class Allowances:
    """The limiters of all clients, each made when its client is first seen.

    Callers are those who have keys, so there are no more of them than keys.

    Args:
        limits: of every client that has none of its own.
        own: of those that have, by caller.
        shared: who counts for all replicas; None where this process counts by itself.
    """

    def __init__(
        self, limits: Limits, own: Mapping[str, Limits], shared: Shared | None = None
    ) -> None:
        self._limits = limits
        self._own = own
        self._shared = shared
        self._limiters: dict[str | None, Limiter | None] = {}
        self._given: dict[str, Limits] = {}
        """Of those whose requests bring their limits along, by caller."""

    def change(self, limits: Limits, own: Mapping[str, Limits], now: float) -> None:
        """Other limits from now on; what clients have taken stays taken.

        Args:
            now: a time of the monotonic clock, in seconds.
        """
        self._limits, self._own = limits, own
        for caller, limiter in list(self._limiters.items()):
            theirs = self._limits_of(caller)
            if limiter is None or theirs == _NONE:
                del self._limiters[caller]
            else:
                limiter.change(theirs, now)

    def of(self, caller: str | None) -> Limiter | None:
        """The limiter of a client, None if it may ask for anything.

        Args:
            caller: the name of its key; None where no key is asked for, which is one client.
        """
        if caller not in self._limiters:
            limits = self._limits_of(caller)
            self._limiters[caller] = None if limits == _NONE else Limiter(limits)
        return self._limiters[caller]

    def _limits_of(self, caller: str | None) -> Limits:
        if not caller:
            return self._limits
        given = self._given.get(caller)
        return self._own.get(caller, self._limits) if given is None else given

    def _bring(self, caller: str, limits: Limits, now: float) -> None:
        """The limits of a client are these from now on; what it has taken stays taken."""
        self._given[caller] = limits
        limiter = self._limiters.get(caller)
        if limiter is None or limits == _NONE:
            self._limiters.pop(caller, None)
        else:
            limiter.change(limits, now)

    async def admit(
        self, caller: str | None, tokens: int, now: float, limits: Limits | None = None
    ) -> Taking:
        """As `enter`, with the limits that all replicas share where they do.

        Who has no limits never waits for that.
        """
        if self._shared is None:
            return self.enter(caller, tokens, now, limits)
        theirs = self._limits_of(caller) if limits is None else limits
        if theirs == _NONE:
            return _FREE
        taken = await self._shared.take(caller or "", theirs, tokens)
        if isinstance(taken, Refusal):
            raise _refused(taken)
        return taken

    def enter(
        self, caller: str | None, tokens: int, now: float, limits: Limits | None = None
    ) -> Taken:
        """A request of a client begins; it is over at the end of the block.

        Args:
            tokens: that it is expected to take, prompt and answer.
            now: a time of the monotonic clock, in seconds.
            limits: the client's own, where they are kept with its key; None: as configured.

        Raises:
            Overloaded: the client has used up what it may ask for.
        """
        if limits is not None and caller and self._given.get(caller) != limits:
            self._bring(caller, limits, now)
        limiter = self.of(caller)
        if limiter is None:
            return _FREE
        wait = limiter.wait_s(now, tokens)
        if wait > 0:
            raise _refused(Refusal(wait, limiter.running, limiter.left(now).calls == 0))
        limiter.take(now, tokens)
        return Taken(limiter, now, tokens)


class Taken:
    """What a request has taken of its client's limits."""

    __slots__ = ("_began", "_expected", "_limiter")

    def __init__(self, limiter: Limiter | None, began: float, expected: int) -> None:
        self._limiter = limiter
        self._began = began
        self._expected = expected

    def used(self, usage: Usage) -> None:
        """The tokens of the answer are known; without one, what was expected counts."""
        if self._limiter is not None:
            used = usage.input_tokens + usage.output_tokens
            self._limiter.settle(self._began, self._expected, used)

    def __enter__(self) -> Taken:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._limiter is not None:
            self._limiter.release()


def _refused(refusal: Refusal) -> Overloaded:
    why = (
        # How long they take is theirs; the wait is a guess, and no promise.
        f"has {refusal.running} requests under way, as many as it may have; the next fits "
        "when one of them is over."
        if refusal.crowded
        else f"has used up what it may ask for; the next request fits in {refusal.wait_s:.1f} s."
    )
    return Overloaded(
        f"This key {why} Its limits are set in `server.limits`, or with the key.",
        retry_after=refusal.wait_s,
        code="rate_limit_exceeded",
    )


_FREE = Taken(None, 0.0, 0)
