"""The outages: who is hit, and by what."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from msgspec import Struct

from tierwise.errors import ConfigError
from tierwise.fleet.faults import (
    HEALTHY,
    CloseConnections,
    Cut,
    Errors,
    Faults,
    Garbage,
    RateLimit,
    Slow,
)

FIRST, SIBLING, SECOND, LAST = range(4)
"""Places of providers: the one that answers most, the other home of its models, the busier of those
that serve other models, and the last."""
FLAP_S = 1.0
"""How long a flapping provider is dead, and then alive, in seconds."""


class Hit(Struct, frozen=True, kw_only=True):
    """What goes wrong at one provider. `dies` until the outage is over, `flaps` now and then."""

    place: int
    faults: Faults = HEALTHY
    dies: bool = False
    flaps: bool = False


class Scenario(Struct, frozen=True, kw_only=True):
    """One outage. `what` says it in words; nothing is wrong where `hits` is empty.

    `shortest_s` is how long it lasts at least, `one_by_one` that only the first provider comes back
    at its end, the others when all is over.
    """

    name: str
    what: str
    hits: tuple[Hit, ...] = ()
    shortest_s: float = 0.0
    one_by_one: bool = False


_ERRORS_30 = Faults(errors=Errors(status=503, share=0.3))
_RATE_LIMITS = Faults(rate_limit=RateLimit(requests=0, wait_s=2.0))
_SILENT = Faults(rate_limit=RateLimit(requests=0, retry_after="none", headers=False))
_SLOW_20 = Faults(slow=Slow(factor=20.0))
_CUTS = Faults(cut=Cut(after_events=5))
_GARBAGE = Faults(garbage=Garbage(after_events=3))
_CLOSES = Faults(close_connections=CloseConnections(when="reuse"))
_BLACKHOLE = Faults(blackhole=True)


def _one(name: str, what: str, hit: Hit) -> Scenario:
    return Scenario(name=name, what=what, hits=(hit,))


HEALTHY_RUN = "healthy"
CROWD = "crowd"
ALL = (
    Scenario(name=HEALTHY_RUN, what="nothing is wrong: the yardstick"),
    _one("dies", "a provider dies", Hit(place=FIRST, dies=True)),
    _one("blackholes", "takes connections, reads nothing", Hit(place=FIRST, faults=_BLACKHOLE)),
    _one("flaps", f"dead and alive, {FLAP_S:g} s each", Hit(place=FIRST, flaps=True)),
    _one("errors-30", "503 to 30% of its requests", Hit(place=FIRST, faults=_ERRORS_30)),
    _one("rate-limits", "429 to all, retry-after 2", Hit(place=FIRST, faults=_RATE_LIMITS)),
    _one("rate-limits-silent", "429 without a word", Hit(place=FIRST, faults=_SILENT)),
    _one("slow-20", "20 times slower", Hit(place=FIRST, faults=_SLOW_20)),
    _one("cuts-streams", "breaks answers off", Hit(place=FIRST, faults=_CUTS)),
    _one("garbage", "broken JSON with status 200", Hit(place=FIRST, faults=_GARBAGE)),
    _one("closes-connections", "resets reused connections", Hit(place=FIRST, faults=_CLOSES)),
    Scenario(
        name="both-homes-die",
        what="every home of some models dies",
        hits=(Hit(place=FIRST, dies=True), Hit(place=SIBLING, dies=True)),
    ),
    Scenario(
        name="dies-and-errors-30",
        what="one dies, its sibling fails 30%",
        hits=(Hit(place=FIRST, dies=True), Hit(place=SIBLING, faults=_ERRORS_30)),
    ),
    Scenario(
        name="blackholes-and-slow-20",
        what="one is a hole, its sibling slow",
        hits=(Hit(place=FIRST, faults=_BLACKHOLE), Hit(place=SIBLING, faults=_SLOW_20)),
    ),
    Scenario(
        name="flaps-and-cuts-streams",
        what="one flaps, another breaks off",
        hits=(Hit(place=FIRST, flaps=True), Hit(place=SECOND, faults=_CUTS)),
    ),
    Scenario(
        name="rate-limits-and-garbage",
        what="429 here, broken JSON there",
        hits=(Hit(place=FIRST, faults=_RATE_LIMITS), Hit(place=SIBLING, faults=_GARBAGE)),
    ),
    _one(
        "slow-20-with-errors-30",
        "slow, and fails 30%",
        Hit(place=FIRST, faults=Faults(slow=_SLOW_20.slow, errors=_ERRORS_30.errors)),
    ),
    _one(
        "cuts-with-closes",
        "breaks off, and closes connections",
        Hit(
            place=FIRST,
            faults=Faults(
                cut=Cut(after_events=5, share=0.5), close_connections=_CLOSES.close_connections
            ),
        ),
    ),
    Scenario(
        name="all-dead",
        what="every provider dies, one comes back",
        hits=tuple(Hit(place=place, dies=True) for place in range(LAST + 1)),
        shortest_s=8.0,
        one_by_one=True,
    ),
    Scenario(name=CROWD, what="many streams, slow and leaving readers"),
)
NAMES = tuple(scenario.name for scenario in ALL)


def chosen(names: Sequence[str]) -> list[Scenario]:
    """The scenarios of these names, in our order; all without any. `healthy` is always among them
    where another is measured against it.

    Raises:
        ConfigError: there is none of a name.
    """
    for name in names:
        if name not in NAMES:
            near = difflib.get_close_matches(name, NAMES) or NAMES
            raise ConfigError(
                f"there is no scenario {name!r}",
                field="--scenario",
                remedy=f"Use one of: {', '.join(near)}.",
            )
    wanted = set(names or NAMES)
    if wanted - {CROWD}:
        wanted.add(HEALTHY_RUN)
    return [scenario for scenario in ALL if scenario.name in wanted]
