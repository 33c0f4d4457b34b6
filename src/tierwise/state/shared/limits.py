"""What each client may still ask for, counted for all replicas in Redis.

One call before a request and one after it, for clients that have limits alone. While Redis is away
each replica lets through its part of the limits, from where the common count stood; when Redis is
back, what was taken meanwhile is added to it.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from types import TracebackType

from msgspec import Struct, field

from tierwise.config.clients import share_of
from tierwise.state.allowances import Refusal
from tierwise.state.limits import MINUTE_S, Limiter
from tierwise.state.shared.connection import Link, Lost
from tierwise.state.shared.scripts import LEAVE, LOOK, OWE, RENEW, TAKE
from tierwise.types import Limits, Usage

LEASE_S = 30.0
"""A request that nobody has spoken of for so long does not count as running any more: its replica
is gone. Those that run are spoken of three times in that."""
USUAL_S = 1.0
_AGAIN_S = 0.02
"""A client whose last answer is out may be here before word of its end is: it is asked once more
after so long, in seconds, if it is only for calls at a time that it would be refused."""


class _Client(Struct):
    """What is known of one client here.

    `full_in_s` is how long its buckets took to be full at a time `at` of the monotonic clock, and
    `asked_at` when it was here last; `leases` are its requests that run here, and `alone` counts
    while Redis is away.
    """

    caller: str
    limits: Limits
    full_in_s: tuple[float, float] = (0.0, 0.0)
    at: float = 0.0
    asked_at: float = 0.0
    leases: set[str] = field(default_factory=set)
    alone: Limiter | None = None

    def rest_s(self, now: float) -> tuple[float, float]:
        """How long they take now, as far as is known."""
        passed = now - self.at
        requests_s, tokens_s = self.full_in_s
        return max(0.0, requests_s - passed), max(0.0, tokens_s - passed)


class SharedLimits:
    """The limits of all clients.

    Args:
        members: how many replicas there are.
        name: of this one, unlike any other.
    """

    def __init__(self, link: Link, members: Callable[[], int], name: str) -> None:
        self._link = link
        self._members = members
        self._name = name
        self._numbers = itertools.count()
        self._clients: dict[str, _Client] = {}

    async def take(self, caller: str, limits: Limits, tokens: int) -> SharedTaken | Refusal:
        """A request of a client begins, if it may: tokens are those that it may well take."""
        client = self._client(caller, limits)
        try:
            taken = await self._ask(client, tokens)
            if isinstance(taken, Refusal) and taken.crowded:
                await asyncio.sleep(_AGAIN_S)
                taken = await self._ask(client, tokens)
            return taken
        except Lost:
            return self._take_alone(client, tokens)

    async def look(self) -> None:
        """Learns what other replicas have taken for clients that were here of late, so that it is
        known when Redis is lost.

        Raises:
            Lost: Redis is away.
        """
        since = time.monotonic() - MINUTE_S
        late = [client for client in self._clients.values() if client.asked_at >= since]
        results = await asyncio.gather(*map(self._look_at, late), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def renew(self) -> None:
        """Says which requests still run."""
        for client in self._clients.values():
            if client.leases and client.limits.concurrency is not None:
                self._link.tell(RENEW, [self._calls(client)], [LEASE_S, *client.leases], again=True)

    def back(self) -> None:
        """Redis is back: adds what was taken without it."""
        now = time.monotonic()
        for client in self._clients.values():
            alone, client.alone = client.alone, None
            if alone is None:
                continue
            client.full_in_s, client.at = alone.full_in_s(now), now
            rates = _or_none(client.limits.rpm), _or_none(client.limits.tpm)
            told = [*rates, *alone.taken(), *client.full_in_s]
            self._link.tell(OWE, [self._buckets(client)], told)
        self.renew()

    def left(self, taken: SharedTaken, used: int) -> None:
        """A request is over and has taken so many tokens."""
        client = taken.client
        client.leases.discard(taken.lease)
        if taken.alone is not None:
            taken.alone.settle(taken.began, taken.expected, used)
        if client.alone is not None:
            client.alone.release()
            if client.alone is taken.alone:
                return  # told in one sum, when Redis is back
        limits = client.limits
        if limits.concurrency is None and (limits.tpm is None or used == taken.expected):
            return  # it changes nothing
        self._link.tell(
            LEAVE,
            [self._buckets(client), self._calls(client)],
            [_or_none(limits.tpm), taken.at, taken.expected, used, taken.lease],
            again=used == taken.expected,
        )

    def _client(self, caller: str, limits: Limits) -> _Client:
        client = self._clients.get(caller)
        if client is None:
            client = self._clients[caller] = _Client(caller, limits)
        elif client.limits != limits:
            client.limits = limits
            if client.alone is not None:
                client.alone.change(share_of(limits, self._members()), time.monotonic())
        return client

    async def _ask(self, client: _Client, tokens: int) -> SharedTaken | Refusal:
        lease = f"{self._name}.{next(self._numbers)}"
        limits, began = client.limits, time.monotonic()
        client.asked_at = began
        wait, at, requests_s, tokens_s, running, crowded = await self._link.call(
            TAKE,
            [self._buckets(client), self._calls(client)],
            [
                _or_none(limits.rpm),
                _or_none(limits.tpm),
                _or_none(limits.concurrency),
                tokens,
                lease,
                LEASE_S,
                *client.rest_s(began),
                USUAL_S,
            ],
        )
        client.full_in_s, client.at = (float(requests_s), float(tokens_s)), time.monotonic()
        if float(wait) > 0:
            return Refusal(float(wait), int(running), bool(crowded))
        client.leases.add(lease)
        return SharedTaken(self, client, lease, tokens, at, began)

    async def _look_at(self, client: _Client) -> None:
        limits = [_or_none(client.limits.rpm), _or_none(client.limits.tpm)]
        full = await self._link.call(LOOK, [self._buckets(client)], limits)
        client.full_in_s, client.at = (float(full[0]), float(full[1])), time.monotonic()

    def _take_alone(self, client: _Client, tokens: int) -> SharedTaken | Refusal:
        """Takes of this replica's part, as Redis is away."""
        now = time.monotonic()
        limiter = client.alone
        if limiter is None:
            part = share_of(client.limits, self._members())
            limiter = client.alone = Limiter(part)
            limiter.adopt(part, client.rest_s(now), now)
            limiter.running = len(client.leases)
        wait = limiter.wait_s(now, tokens)
        if wait > 0:
            return Refusal(wait, limiter.running, limiter.left(now).calls == 0)
        limiter.take(now, tokens)
        lease = f"{self._name}.{next(self._numbers)}"
        client.leases.add(lease)
        return SharedTaken(self, client, lease, tokens, b"0", now, limiter)

    def _buckets(self, client: _Client) -> str:
        return self._link.key("limits", client.caller)

    def _calls(self, client: _Client) -> str:
        return self._link.key("calls", client.caller)


class SharedTaken:
    """What a request has taken: by the common count at a time `at` of Redis' clock, or of this
    replica's part (`alone`)."""

    __slots__ = ("_shared", "_used", "alone", "at", "began", "client", "expected", "lease")

    def __init__(
        self,
        shared: SharedLimits,
        client: _Client,
        lease: str,
        expected: int,
        at: bytes,
        began: float,
        alone: Limiter | None = None,
    ) -> None:
        self._shared = shared
        self.client = client
        self.lease = lease
        self.expected = self._used = expected
        self.at = at
        self.began = began
        self.alone = alone

    def used(self, usage: Usage) -> None:
        """The tokens of the answer are known; without one, what was expected counts."""
        self._used = usage.input_tokens + usage.output_tokens

    def __enter__(self) -> SharedTaken:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._shared.left(self, self._used)


def _or_none(limit: float | None) -> float | str:
    return "" if limit is None else limit
