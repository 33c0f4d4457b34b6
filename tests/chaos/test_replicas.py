"""Two replicas that share a budget while Redis, PostgreSQL and one of them are killed."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from required import lacking
from tierwise.chaos.replicas import PartFigures, ReplicasOptions
from tierwise.chaos.replicas.audit import Row
from tierwise.chaos.replicas.balancer import Asked, Load
from tierwise.chaos.replicas.figures import Outage, figures
from tierwise.chaos.replicas.ground import Told
from tierwise.chaos.replicas.servers import postgres_running, redis_running
from tierwise.errors import ConfigError

KILLED = Outage(began=10.0, ended=20.0, replica=1)


def asked(name: str, **more: Any) -> Asked:
    values: dict[str, Any] = {
        "replica": 0, "refused": 0, "at": 9.5, "until": 9.9, "status": 200, "broke": False,
        "id": name, "cost_usd": 0.5, "failed": None, "wrong": (),
    }  # fmt: skip
    return Asked(**{**values, **more})


def part(
    *all_: Asked,
    rows: dict[str, Row] | None = None,
    spent: float | None = None,
    hard: float = 10.0,
    outage: Outage | None = None,
) -> PartFigures:
    booked = rows if rows is not None else {one.id or "": Row(1, True, 0.5) for one in all_}
    paid = sum(row.cost_usd for row in booked.values()) if spent is None else spent
    load = Load(asked=list(all_), most_at_a_time=2)
    return figures("part", load, outage, booked, Told((paid, paid), (0.0, 0.0)), hard)


def test_answers_that_are_booked_as_clients_were_told_leave_nothing_to_complain_about() -> None:
    found = part(asked("a"), asked("b", replica=1))
    assert (found.answered, found.ledger_rows, found.told_usd) == (2, 2, 1.0)
    assert not found.complaints


def test_what_is_refused_for_the_budget_has_not_failed() -> None:
    refused = asked("b", status=402, failed="402: used up", cost_usd=None)
    found = part(asked("a"), refused, rows={"a": Row(1, True, 0.5)})
    assert (found.refused, found.failed) == (1, 0)
    assert not found.complaints


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (part(asked("a", status=500, failed="500: oh", cost_usd=None), rows={}), "1 requests fail"),
        (part(asked("a", wrong=("no usage",))), "1 answers are wrong"),
        (part(asked("a"), rows={}, spent=0.5), "1 answers are not in the ledger"),
        (part(asked("a"), rows={"a": Row(2, True, 0.5)}), "1 rows of the ledger differ"),
        (part(asked("a"), rows={"a": Row(1, True, 0.6)}), "1 rows of the ledger differ"),
        (part(asked("a"), rows={"a": Row(1, True, 0.6)}), "not what clients were told"),
        (part(asked("a"), rows={"a": Row(1, True, 0.5), "b": Row(1, True, 0.5)}), "of no answer"),
        (part(asked("a"), spent=0.49), "the budget has spent something else"),
        (part(asked("a"), asked("b"), asked("c"), hard=0.4), "more was overspent"),
    ],
)
def test_each_thing_that_does_not_agree_is_named(found: PartFigures, words: str) -> None:
    assert any(words in text for text in found.complaints), found.complaints


def test_only_what_was_under_way_at_the_killed_replica_is_cut_off() -> None:
    broken = {"status": 0, "broke": True, "failed": "no answer", "cost_usd": None, "id": None}
    found = part(
        asked("a", replica=1, until=10.0, **{**broken}),
        asked("b", replica=0, until=10.0, **{**broken}),
        asked("c", replica=1, at=15.0, until=16.0, **{**broken}),
        rows={},
        outage=KILLED,
    )
    assert (found.cut_off, found.failed) == (1, 2)


def test_only_the_killed_replica_may_lose_what_it_had_not_written() -> None:
    lost = part(asked("a", replica=1), asked("b"), rows={"b": Row(1, True, 0.5)}, outage=KILLED)
    assert (lost.lost, lost.lost_elsewhere, lost.complaints) == (1, 0, [])
    other = part(asked("a", replica=1), asked("b"), rows={"a": Row(1, True, 0.5)}, outage=KILLED)
    assert other.lost_elsewhere == 1


def test_an_unknown_part_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match="no part 'dies'") as refused:
        _ = ReplicasOptions(parts=("dies",)).chosen
    assert "postgres" in (refused.value.remedy or "")


@pytest.mark.process
def test_a_small_fleet_of_replicas_loses_nothing_and_keeps_to_its_budget() -> None:
    try:
        with redis_running(), postgres_running():
            pass
    except ConfigError as error:
        lacking(f"no servers to kill: {error}")
    command = [sys.executable, "-m", "tierwise", "chaos", "--replicas", "--json"]
    command += ["--requests", "400", "--clients", "8", "--speed", "0.02"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout, done.stderr
    result = json.loads(done.stdout)
    assert [one["name"] for one in result["parts"]] == ["budget", "redis", "postgres", "replica"]
    assert done.returncode == 0, result
    for one in result["parts"]:
        assert one["failed"] == one["wrong"] == one["lost_elsewhere"] == one["differing"] == 0
        assert one["answered"] > 0
    first = result["parts"][0]
    assert first["refused"] > 0
    assert first["ledger_rows"] == first["answered"]
