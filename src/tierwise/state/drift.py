"""Does traffic still look like what a certificate was made on? If not, the certificate is void.

A certificate holds for requests that are drawn as its calibration requests were. Nobody can see
that directly, but where scores, answer lengths, refusals or novelty are distributed otherwise, it
has ceased to be so. Every `WINDOW` requests are compared with the baselines of the certificate.

False alarms: without drift, a certificate is voided by chance with probability `FALSE_ALARM` at
most, however long it is used. Window number j may spend FALSE_ALARM / (j (j + 1)) of it, which
adds up to FALSE_ALARM, and its tests share that equally (Bonferroni). The figures are exact for
two bins (Fisher) and asymptotic for more (chi-square); tests/state/test_drift.py simulates them.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from math import erfc, exp, lgamma, log, sqrt

from tierwise.certificate import Baseline, Certificate

WINDOW = 500
"""Requests that are compared at once: fewer see less, more see it later."""
FALSE_ALARM = 0.05
_EXPECTED = 5.0
"""Bins of which fewer are expected are joined with a neighbour (Cochran's rule)."""
_LOG_SMALLEST = -700.0


class Watch:
    """Watches the first tier's answers, for one certificate. Safe to share between threads.

    Args:
        certificate: what is to be voided.
        watchers: how many processes watch their part of the traffic, each with its own `Watch`;
            the false alarms that are allowed are shared between them. May change (`watchers`).
        now: Unix time in seconds, for the last day of the certificate.
    """

    def __init__(
        self, certificate: Certificate, *, watchers: int = 1, now: Callable[[], float] = time.time
    ) -> None:
        self._certificate = certificate
        self.watchers = watchers
        self._now = now
        self._lock = threading.Lock()
        self._baselines = {baseline.name: baseline for baseline in certificate.baselines}
        self._counts = {b.name: [0] * len(b.counts) for b in certificate.baselines}
        self._seen = 0
        self._reason: str | None = None
        self._drifted = False
        self._ends = certificate.ends
        self.windows = 0

    @property
    def void(self) -> str | None:
        """Why the certificate no longer holds, in words; None while it does."""
        if self._reason is None and self._now() >= self._ends:
            self._reason = f"it expired on {self._certificate.expires}"
        return self._reason

    @property
    def drifted(self) -> bool:
        """Whether it is void because traffic has moved, and not by its last day alone."""
        return self._drifted

    @property
    def requests(self) -> int:
        """How many answers it has seen."""
        return self.windows * WINDOW + self._seen

    def saw(
        self,
        *,
        posterior: float,
        verdicts: Mapping[str, float] | None = None,
        length: int | None = None,
        refused: bool | None = None,
        novelty: float | None = None,
    ) -> None:
        """Takes in one answer of the first tier, accepted or not.

        Args:
            posterior: P(acceptable) by all gates together.
            verdicts: the gates' p by name.
            length: characters of the answer.
            refused: whether it is a refusal.
            novelty: of the request, in [0, 1].
        """
        values: dict[str, float | None] = {
            "posterior": posterior,
            "length": length,
            "refusal": None if refused is None else float(refused),
            "novelty": novelty,
            **{f"gate {gate}": p for gate, p in (verdicts or {}).items()},
        }
        with self._lock:
            for name, counts in self._counts.items():
                value = values.get(name)
                if value is not None:
                    counts[bisect_right(self._baselines[name].edges, value)] += 1
            self._seen += 1
            if self._seen == WINDOW:
                self._compare()

    def _compare(self) -> None:
        """Tests a full window and begins the next."""
        self.windows += 1
        allowed = (
            FALSE_ALARM
            / self.watchers
            / (self.windows * (self.windows + 1))
            / max(1, len(self._counts))
        )
        for name, counts in self._counts.items():
            baseline = self._baselines[name]
            if sum(counts) and self._reason is None:
                p = same_distribution(baseline.counts, counts)
                if p < allowed:
                    self._drifted = True  # first: who sees a reason is to see of what sort it is
                    self._reason = _words(baseline, counts, p)
            self._counts[name] = [0] * len(counts)
        self._seen = 0


def same_distribution(one: Sequence[int], other: Sequence[int]) -> float:
    """The p-value of two samples, counted in the same bins, being of one distribution.

    Fisher's exact test for two bins, two-sided by doubling; Pearson's chi-square test for two
    samples with more, bins with few expected counts joined. 1 where all is in one bin.
    """
    pairs = _joined(list(zip(one, other, strict=True)))
    if len(pairs) < 2:
        return 1.0
    first, second = sum(a for a, _ in pairs), sum(b for _, b in pairs)
    if not first or not second:
        return 1.0
    if len(pairs) == 2:
        return _fisher(pairs[1][0], first, pairs[1][1], second)
    more, less = sqrt(first / second), sqrt(second / first)
    statistic = sum((less * a - more * b) ** 2 / (a + b) for a, b in pairs)
    return _chi_square_above(statistic, len(pairs) - 1)


def _joined(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Neighbouring bins together until in each enough of the smaller sample is expected.

    Two bins always stay apart: Fisher's test needs no large counts.
    """
    first, second = sum(a for a, _ in pairs), sum(b for _, b in pairs)
    share = min(first, second) / max(1, first + second)
    found = [pair for pair in pairs if pair != (0, 0)]
    while len(found) > 2:
        smallest = min(range(len(found)), key=lambda at: sum(found[at]))
        if sum(found[smallest]) * share >= _EXPECTED:
            break
        sides = [at for at in (smallest - 1, smallest + 1) if 0 <= at < len(found)]
        partner = min(sides, key=lambda at: sum(found[at]))
        low, high = sorted((smallest, partner))
        (a, b), (c, d) = found[low], found[high]
        found[low : high + 1] = [(a + c, b + d)]
    return found


def _fisher(k: int, first: int, m: int, second: int) -> float:
    """Two-sided p of k among `first` and m among `second` being drawn at one rate."""
    hits, total = k + m, first + second
    least, most = max(0, hits - first), min(hits, second)
    below = sum(exp(_log_p(x, hits, total, second)) for x in range(least, m + 1))
    above = sum(exp(_log_p(x, hits, total, second)) for x in range(m, most + 1))
    return min(1.0, 2 * min(below, above))


def _log_p(x: int, hits: int, total: int, drawn: int) -> float:
    """log P(x hits among `drawn` of `total` that hold `hits`): the hypergeometric."""
    found = _log_choose(hits, x) + _log_choose(total - hits, drawn - x) - _log_choose(total, drawn)
    return max(_LOG_SMALLEST, found)


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def _chi_square_above(statistic: float, freedom: int) -> float:
    """P(chi-square of so many degrees of freedom > statistic).

    By the recurrence of the incomplete gamma function, Q(a + 1, x) = Q(a, x) + x^a e^-x / G(a + 1)
    (Abramowitz and Stegun 6.5.21), from Q(1/2, x) = erfc(sqrt x) or Q(1, x) = e^-x.
    """
    x = statistic / 2
    if x <= 0:
        return 1.0
    a, q = (0.5, erfc(sqrt(x))) if freedom % 2 else (1.0, exp(-x))
    while a < freedom / 2:
        q += exp(max(_LOG_SMALLEST, a * log(x) - x - lgamma(a + 1)))
        a += 1
    return min(1.0, q)


def _words(baseline: Baseline, counts: Sequence[int], p: float) -> str:
    """Which figure has moved, and which way."""
    first, second = sum(baseline.counts), sum(counts)
    # The mean place among the bins says which way it went, whatever the figure's scale.
    was = sum(at * n for at, n in enumerate(baseline.counts)) / first
    now = sum(at * n for at, n in enumerate(counts)) / second
    name = f"the {baseline.name}" if not baseline.name.startswith("gate ") else baseline.name
    if len(counts) == 2:
        share = f"{baseline.counts[1] / first:.1%} then, {counts[1] / second:.1%} now"
        return f"{name} is no longer what it was at calibration ({share}, p = {p:.1g})"
    way = "higher" if now > was else "lower"
    return f"{name} runs {way} than at calibration, in the last {second} answers (p = {p:.1g})"
