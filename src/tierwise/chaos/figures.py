"""What came of the scenarios, in figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from msgspec import Struct

from tierwise.chaos.detect import Detected
from tierwise.chaos.judge import Judged
from tierwise.chaos.outage import Played
from tierwise.chaos.seen import Seen
from tierwise.demo.result import percentile

AGAIN_S = 2.0
"""How long after the first path's return a request may still be refused."""
_SHOWN = 5


class CrowdFigures(Struct, frozen=True, kw_only=True):
    """What many streams at a time did to the gateway.

    `peak` streams ran at the same time; `left` clients went away in the middle of theirs. Memory is
    the gateway's, in MB: before, at the most, and after each of the rounds, of which each is the
    same. `calls_left` and `connections_left` are the calls under way that the gateway and the fleet
    counted when all clients had gone, and client connections that the gateway still held.
    """

    peak: int
    left: int
    cancelled: int
    rss_before_mb: float
    rss_most_mb: float
    rss_after_mb: list[float]
    calls_left: int
    upstream_left: int
    connections_left: int


class ScenarioFigures(Struct, frozen=True, kw_only=True):
    """One scenario. Latencies in milliseconds, other times in seconds.

    `failed` got no answer although a capable path was alive, or, where none was, no clear error in
    time. `refused` were told the reasons while no path was alive. `wrong` are answers that are not
    to the letter what their model says, or a stream with anything lost or twice. `added` is against
    the same requests of the healthy run, of those that were sent while the outage lasted.
    `continued` are streams that another deployment went on with.
    `recovery_s` is from its end until all that were hit served again, or, where nobody was left,
    until somebody answered; None where that took too long. `detected` is how long the slowest to be
    found out of the deployments was still called; None where nobody was left alone.
    """

    name: str
    what: str
    path_alive: bool
    requests: int
    failed: int
    wrong: int
    refused: int = 0
    continued: int = 0
    p50_ms: float = 0.0
    added_p50_ms: float = 0.0
    added_p50_share: float = 0.0
    added_p99_ms: float = 0.0
    recovery_s: float | None = None
    detected_requests: int | None = None
    detected_s: float | None = None
    seconds: float = 0.0
    errors: list[str] = []
    crowd: CrowdFigures | None = None


class Result(Struct, frozen=True, kw_only=True):
    """All of them. `simulated` says that the models and their answers are made up; `timeouts` are
    the gateway's in seconds, `rate` requests a second, `load` the machine's at the end."""

    scenarios: list[ScenarioFigures]
    simulated: bool
    seed: int
    speed: float
    rate: float
    timeouts: Mapping[str, float]
    deadline_s: float
    load: float

    @property
    def passed(self) -> bool:
        """Whether nothing failed and nothing was wrong where a path was alive."""
        return not any(one.path_alive and (one.failed or one.wrong) for one in self.scenarios)


def figures(
    played: Played, healthy: Mapping[int, float], found: Detected | None, deadline_s: float
) -> ScenarioFigures:
    """The figures of a scenario.

    Args:
        healthy: latencies of the healthy run in seconds, by the request's number.
        deadline_s: after which no request may still be without an answer or an error.
    """
    excused = [_is_excused(played, *one, deadline_s) for one in played.seen]
    failures = [
        judged.failed
        for (_, judged), fine in zip(played.seen, excused, strict=True)
        if judged.failed is not None and not fine
    ]
    wrong = [", ".join(judged.wrong) for _, judged in played.seen if judged.wrong]
    during = [
        seen for seen, judged in played.seen if judged.failed is None and _is_in(played, seen)
    ]
    added = [s.latency_s - healthy[s.number] for s in during if s.number in healthy]
    usual = percentile([healthy[s.number] for s in during if s.number in healthy], 0.5)
    p50 = percentile(added, 0.5)
    told = Counter([*failures, *wrong]).most_common(_SHOWN)
    return ScenarioFigures(
        name=played.scenario.name,
        what=played.scenario.what,
        path_alive=played.path_alive,
        requests=len(played.seen),
        failed=len(failures),
        wrong=len(wrong),
        refused=sum(excused),
        continued=sum(judged.continued for _, judged in played.seen),
        p50_ms=1000 * percentile([s.latency_s for s in during], 0.5),
        added_p50_ms=1000 * p50,
        added_p50_share=p50 / usual if usual else 0.0,
        added_p99_ms=1000 * percentile(added, 0.99),
        recovery_s=played.recovery_s,
        detected_requests=None if found is None else found.requests,
        detected_s=None if found is None else found.seconds,
        seconds=max(s.until for s, _ in played.seen) - min(s.at for s, _ in played.seen),
        errors=[f"{count} x {text}" for text, count in told],
    )


def _is_in(played: Played, seen: Seen) -> bool:
    """Whether a request was sent during the outage; in the healthy run all were."""
    if played.began is None:
        return True
    return played.began <= seen.at and (played.ended is None or seen.at <= played.ended)


def _is_excused(played: Played, seen: Seen, judged: Judged, deadline_s: float) -> bool:
    """Whether a request had to fail, and did so as it should: told why, and in time."""
    if judged.failed is None or played.path_alive or played.began is None:
        return False
    over = played.ended is not None and seen.at > played.ended + AGAIN_S
    return judged.clear and seen.until >= played.began and not over and seen.latency_s <= deadline_s
