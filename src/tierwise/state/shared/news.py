"""What replicas tell each other: who is to be left alone, what operators have ordered, whether
accounts have changed, which answers of the cache are replaced, which certificates are void.

It is said at once in a channel that all listen to. What holds for longer is kept beside it, for
those who start later or were away.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct

from tierwise.state.health import Health
from tierwise.state.hints import Hint, place
from tierwise.state.orders import Order
from tierwise.state.shared.connection import Link, Lost
from tierwise.state.shared.scripts import HINTS, NEWS, ORDER, ORDERS, TELL
from tierwise.state.void import Void
from tierwise.types import Deployment

log = logging.getLogger("tierwise.shared")

ORDERS_S = 600
"""Orders are kept for so long after the last replica has ended."""
_SOON_S = 0.5
"""What others know until about the same time need not be told again."""


class _Voided(Struct, frozen=True):
    """A policy's certificate, by its hash, is void."""

    policy: str
    certificate: str
    void: Void


class _News(Struct, frozen=True, omit_defaults=True):
    """One of these, from the replica `by`."""

    by: str
    place: str | None = None
    hint: Hint | None = None
    order: Order | None = None
    accounts: bool = False
    replaced: bytes | None = None
    cleared: str | None = None
    voided: _Voided | None = None


_decode = msgspec.json.Decoder(_News).decode
_decode_hint = msgspec.json.Decoder(Hint).decode
_decode_order = msgspec.json.Decoder(Order).decode
_encode = msgspec.json.Encoder().encode


class News:
    """What one replica says and hears.

    `ordered` is told orders of others, `accounts_changed` when accounts have changed elsewhere, or
    may have, `replaced` the keys of cached answers in whose place others were kept, `cleared` a
    mark when all of them are forgotten, and `voided` policies, hashes of their certificates, and
    why those are void.

    Args:
        name: of this replica, unlike any other.
    """

    def __init__(self, link: Link, name: str) -> None:
        self._link = link
        self._name = name
        self._health: Health | None = None
        self._places: dict[str, Deployment] = {}
        self._told: dict[str, float] = {}
        self._untold: dict[str, tuple[Deployment, Hint, float]] = {}
        self.ordered: Callable[[Order], None] = _nothing
        self.accounts_changed: Callable[[], None] = _no_accounts
        self.replaced: Callable[[bytes], None] = _no_cache
        self.cleared: Callable[[str], None] = _nothing_cleared
        self.voided: Callable[[str, str, Void], None] = _no_certificates

    def attach(self, health: Health, deployments: Sequence[Deployment]) -> None:
        """From now on these are the deployments."""
        if self._health is not None:
            self._health.found_out = _nobody
        self._health = health
        self._places = {place(one): one for one in deployments}
        health.found_out = self._found_out

    def order(self, order: Order) -> None:
        """An operator has ordered something here."""
        where = next((p for p, one in self._places.items() if one.id == order.deployment), "")
        if not order.drained:
            self._told.pop(where, None)
            self._untold.pop(where, None)
        self._link.tell(
            ORDER,
            [self.orders_key, self._hint_key(where)],
            [
                self._link.channel,
                _encode(_News(self._name, order=order)),
                order.deployment,
                _encode(order),
                ORDERS_S,
                int(not order.drained),
            ],
            again=True,
        )

    def change_accounts(self) -> None:
        """Accounts have changed here."""
        told = _encode(_News(self._name, accounts=True))
        self._link.tell(NEWS, [], [self._link.channel, told], again=True)

    def replace(self, key: bytes) -> None:
        """An answer of the cache was kept in the place of another one."""
        told = _encode(_News(self._name, replaced=key))
        self._link.tell(NEWS, [], [self._link.channel, told], again=True)

    def clear(self, mark: str) -> None:
        """All answers of the cache are forgotten."""
        told = _encode(_News(self._name, cleared=mark))
        self._link.tell(NEWS, [], [self._link.channel, told], again=True)

    def void(self, policy: str, certificate: str, void: Void) -> bytes:
        """What is said where a certificate was found void."""
        return _encode(_News(self._name, voided=_Voided(policy, certificate, void)))

    def hear(self, data: bytes) -> None:
        """Something was said in the channel."""
        try:
            news = _decode(data)
        except msgspec.MsgspecError as error:
            log.warning("what another replica says cannot be read: %s", error)
            return
        if news.by == self._name:
            return
        if news.hint is not None and news.place is not None:
            self._heed(news.place, news.hint)
        if news.order is not None:
            self.ordered(news.order)
        if news.accounts:
            self.accounts_changed()
        if news.replaced is not None:
            self.replaced(news.replaced)
        if news.cleared is not None:
            self.cleared(news.cleared)
        if news.voided is not None:
            self.voided(news.voided.policy, news.voided.certificate, news.voided.void)

    async def catch_up(self) -> None:
        """Reads what was said while nobody here listened.

        Raises:
            Lost: Redis is away.
        """
        self.accounts_changed()
        self._tell_what_holds()
        pairs = await self._link.call(ORDERS, [self.orders_key], [])
        try:
            for order in pairs[1::2]:
                self.ordered(_decode_order(order))
            places = list(self._places)
            found = await self._link.call(HINTS, [self._hint_key(one) for one in places], [])
            for number, hint, left_ms in found:
                known = _decode_hint(hint)
                left = int(left_ms) / 1000
                shorter = min(left, known.limited_s)
                self._heed(
                    places[number - 1],
                    msgspec.structs.replace(known, wait_s=left, limited_s=shorter),
                )
        except msgspec.MsgspecError as error:
            raise Lost(f"what other replicas left cannot be read: {error}") from error

    @property
    def orders_key(self) -> str:
        """Where orders are kept."""
        return self._link.key("orders")

    def _hint_key(self, where: str) -> str:
        return self._link.key("hint", where)

    def _found_out(self, deployment: Deployment, hint: Hint) -> None:
        """Tells the others, unless they know already."""
        where, until = place(deployment), time.monotonic() + hint.wait_s
        if until <= self._told.get(where, 0.0) + _SOON_S:
            return
        if not self._link.up:
            self._untold[where] = deployment, hint, until
            return
        self._told[where] = until
        told = _encode(_News(self._name, place=where, hint=hint))
        self._link.tell(
            TELL,
            [self._hint_key(where)],
            [self._link.channel, told, _encode(hint), max(1, int(hint.wait_s * 1000))],
        )

    def _tell_what_holds(self) -> None:
        """Tells what was found out while Redis was away."""
        untold, self._untold = self._untold, {}
        for deployment, hint, until in untold.values():
            left = until - time.monotonic()
            if left > 0:
                limited = min(left, hint.limited_s)
                self._found_out(
                    deployment, msgspec.structs.replace(hint, wait_s=left, limited_s=limited)
                )

    def _heed(self, where: str, hint: Hint) -> None:
        deployment = self._places.get(where)
        if deployment is None or self._health is None or hint.wait_s <= 0:
            return
        self._told[where] = max(self._told.get(where, 0.0), time.monotonic() + hint.wait_s)
        self._health.heard(deployment, hint)


def _nothing(_: Order) -> None:
    """Nobody carries orders out."""


def _no_accounts() -> None:
    """There are none."""


def _no_cache(_: bytes) -> None:
    """Nothing is kept here."""


def _nothing_cleared(_: str) -> None:
    """Nothing is kept here."""


def _no_certificates(_: str, __: str, ___: Void) -> None:
    """There are none."""


def _nobody(_: Deployment, __: Hint) -> None:
    """The deployments are not used any more."""
