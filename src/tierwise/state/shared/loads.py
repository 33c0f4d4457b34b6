"""The limits of deployments, divided among replicas by what each has to do, and the shadow prices
that they find together.

Who may be asked is decided many times on the path of a request, for several deployments, and
nothing there waits for anything. So Redis is not asked then: each replica has a part of every
limit, which follows its demand, and four times a second it says what it has taken and learns what
all have taken together. A bucket is full again after as long for a part as for the whole, so the
common count takes the place of its own. Between two counts no more is taken than is left, but for
what the others take in that time.

Each moves the shadow prices by what it sees, and as often all come to one price between them: the
mean, by how much each was asked. So one that has just begun, or is seldom asked, knows what is
scarce.

Each has at least one call at a time, because with none it could serve nobody: a `concurrency` below
the number of replicas is exceeded by their difference.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from tierwise.config.clients import share_of
from tierwise.state.deployment import DeploymentState
from tierwise.state.health import Health
from tierwise.state.hints import place
from tierwise.state.limits import Limiter
from tierwise.state.shared.connection import Argument, Link
from tierwise.state.shared.scripts import PRICES, SHARE
from tierwise.types import Deployment, Limits

MEMBER_S = 5.0
"""A replica that has not been heard of for so long has no part any more."""
_MEMORY = 0.7
"""What a count leaves of the demand before it: half of it is of the last half second."""
_NONE_LEFT = 1e-3
_MOST_OF_THEM = 0.5
_NO_LIMITS = Limits()


class SharedLoads:
    """The parts of one replica.

    Args:
        name: of this replica, unlike any other.
        workers: replicas there may be before anybody has counted them.
    """

    def __init__(self, link: Link, name: str, workers: int = 1) -> None:
        self._link = link
        self._name = name
        self._workers = workers
        self._limited: list[Deployment] = []
        self._health: Health | None = None
        self._seen: dict[str, tuple[int, int]] = {}
        self._demand: dict[str, float] = {}
        self._counted = False

    def attach(self, health: Health, deployments: Sequence[Deployment]) -> None:
        """From now on these are the deployments."""
        self._health = health
        self._limited = [one for one in deployments if one.limits != _NO_LIMITS]
        if self._counted:
            return
        now = time.monotonic()
        for deployment in self._limited:
            state = health.states[deployment.id]
            if state.limiter is not None:
                state.share = 1.0 / self._workers
                state.limiter.change(share_of(deployment.limits, self._workers), now)

    async def count(self) -> None:
        """Says what was taken, and learns this replica's part.

        Raises:
            Lost: Redis is away. The parts stay as they are.
        """
        health = self._health
        if health is None:
            return
        asked = [
            self._ask(health, deployment, state, state.limiter)
            for deployment in self._limited
            if (state := health.states[deployment.id]).limiter is not None
        ]
        results = await asyncio.gather(*asked, self._agree(health), return_exceptions=True)
        self._counted = True
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _agree(self, health: Health) -> None:
        """Comes to prices with the others."""
        seen = health.scarcity.seen()
        if not seen:
            return
        told: list[Argument] = [self._name, MEMBER_S]
        for one in seen:
            told += [one.price, int(one.counts), one.rate]
        keys = [self._link.key("price", one.model) for one in seen]
        found = await self._link.call(PRICES, keys, told)
        for one, price, counts in zip(seen, found[::2], found[1::2], strict=True):
            if price != b"":
                health.scarcity.agree(one, float(price), float(counts) >= _MOST_OF_THEM)

    async def _ask(
        self,
        health: Health,
        deployment: Deployment,
        state: DeploymentState,
        limiter: Limiter,
    ) -> None:
        limits = deployment.limits
        taken = limiter.taken()
        try:
            share, requests_s, tokens_s, at_a_time = await self._link.call(
                SHARE,
                [self._link.key("load", place(deployment))],
                [
                    self._name,
                    MEMBER_S,
                    self._wanted(health, deployment, state),
                    state.in_flight,
                    "" if limits.rpm is None else limits.rpm,
                    "" if limits.tpm is None else limits.tpm,
                    *taken,
                    *limiter.full_in_s(time.monotonic()),
                    "" if limits.concurrency is None else limits.concurrency,
                ],
            )
        except BaseException:
            limiter.not_told(*taken)
            raise
        state.share = float(share)
        part = _part(limits, state.share, int(at_a_time))
        limiter.adopt(part, (float(requests_s), float(tokens_s)), time.monotonic())

    def _wanted(self, health: Health, deployment: Deployment, state: DeploymentState) -> float:
        """Requests that wanted the deployment of late, be there room or not."""
        now = health.demand.get(deployment.model, 0), state.requests
        before = self._seen.get(deployment.id, (0, 0))
        self._seen[deployment.id] = now
        # A set-up that follows another counts from the start.
        new = max(0, now[0] - before[0], now[1] - before[1])
        demand = _MEMORY * self._demand.get(deployment.id, 0.0) + new
        self._demand[deployment.id] = demand = demand if demand > _NONE_LEFT else 0.0
        return demand


def _part(limits: Limits, share: float, at_a_time: int) -> Limits:
    return Limits(
        rpm=None if limits.rpm is None else limits.rpm * share,
        tpm=None if limits.tpm is None else limits.tpm * share,
        concurrency=None if limits.concurrency is None else at_a_time,
    )
