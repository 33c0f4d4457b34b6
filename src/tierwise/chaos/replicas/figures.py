"""What came of it, in figures: clients, ledger and budget side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from msgspec import Struct

from tierwise.chaos.replicas.audit import Row
from tierwise.chaos.replicas.balancer import PAYMENT_REQUIRED, Asked, Load
from tierwise.chaos.replicas.ground import Told
from tierwise.ledger.ledger import BATCH_SIZE

UNFLUSHED = BATCH_SIZE
"""What a killed replica loses at the most, in requests, while the database keeps up."""
CENT = 0.005
"""Sums that differ by less are the same to the cent, in USD."""
_SHOWN = 5


class Outage(Struct, frozen=True):
    """What was away, and when, by the monotonic clock. `replica` is which one, if it was one."""

    began: float
    ended: float
    replica: int | None = None


class PartFigures(Struct, frozen=True, kw_only=True):
    """One part of it. Money is USD.

    Of `requests`, `answered` have their answer, `refused` were told 402 because the budget is used
    up, `cut_off` were under way at the replica that was killed, and `failed` are all others;
    `wrong` answers are not what their model says. `retried` are connections that a dead replica
    did not accept, so that the other one was asked.

    `ledger_rows` are all requests of the key in the ledger; `lost` answers are not among them, of
    which `lost_elsewhere` were not of the replica that was killed; `unseen` rows are of no answer
    that a client has seen to its end, and `differing` ones do not say what the client was told, or
    are there twice. `told_usd` is the sum of what clients were told by header, and `booked_usd`
    what the ledger says of the same answers; `lost_usd` is what clients were told of answers that
    are lost.
    `spent_usd` is what the admin API of each replica says that the budget has spent.

    `overspent_usd` may be at most what `in_flight` requests cost, of which one costs `most_usd` at
    the most.
    """

    name: str
    requests: int
    answered: int
    refused: int
    cut_off: int
    failed: int
    wrong: int
    retried: int
    ledger_rows: int
    lost: int
    lost_elsewhere: int
    unseen: int
    differing: int
    ledger_usd: float
    told_usd: float
    booked_usd: float
    lost_usd: float
    hard_usd: float
    spent_usd: list[float]
    set_aside_usd: float
    in_flight: int
    most_usd: float
    overspent_usd: float
    seconds: float
    away_s: float | None
    errors: list[str]

    @property
    def bound_usd(self) -> float:
        """What may be overspent."""
        return self.in_flight * self.most_usd

    @property
    def complaints(self) -> list[str]:
        """All that is not as it should be, in words."""
        paid = self.ledger_usd + self.lost_usd
        # What was under way at a killed replica may be billed or not, and of streams that are lost
        # nobody was told what they cost.
        unsure = CENT + (self.cut_off + self.lost) * self.most_usd
        found = {
            f"{self.failed} requests failed": self.failed,
            f"{self.wrong} answers are wrong": self.wrong,
            f"{self.lost_elsewhere} answers are not in the ledger, though nobody killed those who "
            "gave them": self.lost_elsewhere,
            f"{self.lost} answers are lost, more than {UNFLUSHED}": self.lost > UNFLUSHED,
            f"{self.unseen} rows of the ledger are of no answer": self.unseen > self.cut_off,
            f"{self.differing} rows of the ledger differ from what clients were told": (
                self.differing
            ),
            "the ledger's sum is not what clients were told": abs(self.booked_usd - self.told_usd)
            >= CENT,
            "the budget has spent something else than the ledger says": any(
                abs(one - paid) >= unsure for one in self.spent_usd
            ),
            "more was overspent than what was under way": self.overspent_usd > self.bound_usd,
        }
        return [text for text, wrong in found.items() if wrong]


class ReplicasResult(Struct, frozen=True, kw_only=True):
    """All parts. `skipped` says of those that were left out why; `load` is the machine's at the
    end, `simulated` says that models and answers are made up."""

    parts: list[PartFigures]
    skipped: Mapping[str, str]
    simulated: bool
    seed: int
    speed: float
    load: float

    @property
    def passed(self) -> bool:
        """Whether all is as it should be."""
        return not any(part.complaints for part in self.parts)


def figures(
    name: str,
    load: Load,
    outage: Outage | None,
    rows: Mapping[str, Row],
    told: Told,
    hard_usd: float,
) -> PartFigures:
    """The figures of one part."""
    cut = [one for one in load.asked if _is_cut_off(one, outage)]
    rest = [one for one in load.asked if not _is_cut_off(one, outage)]
    answered = [one for one in rest if one.failed is None]
    failed = [
        one.failed for one in rest if one.failed is not None and one.status != PAYMENT_REQUIRED
    ]
    wrong = [", ".join(one.wrong) for one in answered if one.wrong]
    seen = {one.id: one for one in answered}
    lost = [one for one in answered if one.id not in rows]
    told_of = [one for one in answered if one.cost_usd is not None and one.id in rows]
    unseen = [row for name, row in rows.items() if name not in seen]
    costs = [row.cost_usd * row.times for row in rows.values()]
    ledger_usd = sum(costs)
    lost_usd = sum(one.cost_usd or 0.0 for one in lost)
    killed = None if outage is None else outage.replica
    return PartFigures(
        name=name,
        requests=len(load.asked),
        answered=len(answered),
        refused=sum(one.status == PAYMENT_REQUIRED for one in rest),
        cut_off=len(cut),
        failed=len(failed),
        wrong=len(wrong),
        retried=sum(one.refused for one in load.asked),
        ledger_rows=sum(row.times for row in rows.values()),
        lost=len(lost),
        lost_elsewhere=sum(
            outage is None or one.replica != killed or one.until > outage.ended for one in lost
        ),
        unseen=len(unseen),
        differing=sum(_differs(seen[name], row) for name, row in rows.items() if name in seen),
        ledger_usd=ledger_usd,
        told_usd=sum(one.cost_usd or 0.0 for one in told_of),
        booked_usd=sum(rows[one.id or ""].cost_usd for one in told_of),
        lost_usd=lost_usd,
        hard_usd=hard_usd,
        spent_usd=list(told.spent_usd),
        set_aside_usd=max(told.set_aside_usd),
        in_flight=load.most_at_a_time,
        most_usd=max(costs, default=0.0),
        overspent_usd=max(0.0, ledger_usd + lost_usd - hard_usd),
        seconds=max(one.until for one in load.asked) - min(one.at for one in load.asked),
        away_s=None if outage is None else outage.ended - outage.began,
        errors=[f"{count} x {why}" for why, count in Counter(failed + wrong).most_common(_SHOWN)],
    )


def _is_cut_off(one: Asked, outage: Outage | None) -> bool:
    """Whether it was under way at the replica that was killed, when it was."""
    if outage is None or outage.replica != one.replica or not one.broke:
        return False
    return one.at <= outage.began <= one.until + _SLACK_S


_SLACK_S = 1.0
"""Connections end while the process dies, some of them before its end is noticed."""


def _differs(one: Asked, row: Row) -> bool:
    # Clients are told eight decimals.
    told = row.cost_usd if one.cost_usd is None else one.cost_usd
    return row.times != 1 or not row.ok or abs(told - row.cost_usd) > 1e-8
