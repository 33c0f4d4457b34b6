"""How quick a deployment is, and whether a call was slow for it.

A long answer is not a slow one. So a whole answer is measured against a line through what this
deployment took before, `a + b * tokens`, and a stream by its first token alone: how long the rest
of it takes is up to its length, and to who reads it.
"""

from __future__ import annotations

from tierwise.state.quantile import LATEST, Latest

SMOOTHING = 0.2
"""Weight of the newest value in what is shown and predicted from."""
STEADY = 0.05
"""And in what is chosen by: streams and whole answers come mixed, and the mix must not show."""
SLOW_TIMES = 4.0
"""So many times its usual time makes a call slow."""
SLOW_BY_S = 0.25
"""What is late by less than this, in seconds, is not slow, however quick the usual."""
CLOSE_S = 0.001
"""A call that ends so soon after another counts as that one did, once much is known: at thousands a
second each tells little, and a slow one is followed by another as often as not."""
MIN_CALLS = 20
"""Before it has answered so often, nothing is usual."""
_SLOWEST_LEARNING = 0.01
"""Weight of one call in what is usual. Little, so that a deployment that turns slow is seen as
slow for some thirty calls before that becomes its usual pace."""


class Pace:
    """Times of one deployment's calls, in seconds: moving averages, percentiles, the usual.

    `heard_s` is until something of an answer is there, the whole of it or a stream's first token:
    a client that reads slowly does not make it longer. `mean_s` is until the end of an answer, as
    `latency_s` is, of more calls. `seen_at` is when the last call was taken
    in, minus infinity before the first.
    """

    __slots__ = (
        "_first",
        "_heard",
        "_late",
        "_ttft",
        "_whole",
        "heard_s",
        "latency_s",
        "mean_s",
        "seen_at",
        "ttft_s",
    )

    def __init__(self) -> None:
        self.latency_s: float | None = None
        self.mean_s: float | None = None
        self.ttft_s: float | None = None
        self.heard_s: float | None = None
        self.seen_at = float("-inf")
        self._late = 0.0
        self._ttft = Latest()
        self._heard = Latest()
        self._first = _Line()
        self._whole = _Line()

    def saw(
        self,
        now: float,
        latency_s: float,
        ttft_s: float | None = None,
        tokens: int | None = None,
        slow_s: float | None = None,
    ) -> float:
        """Takes a call in; how late it was: above 1 it was slow, at 0 nothing is known of that.

        Args:
            now: when it ended.
            latency_s: until the end of the answer.
            ttft_s: until the first token, None for an answer that came as a whole.
            tokens: that were given out, None where nobody counted: of a whole answer it is then
                not known whether it was slow or long.
            slow_s: what is slow whatever is usual: a first token, or a whole answer, after longer.
        """
        if now - self.seen_at < CLOSE_S and len(self._heard) == LATEST:
            return self._late
        self.seen_at = now
        old = self.latency_s
        self.latency_s = latency_s if old is None else old + SMOOTHING * (latency_s - old)
        heard, late = latency_s, 0.0
        if ttft_s is not None:
            heard = ttft_s
            old = self.ttft_s
            self.ttft_s = ttft_s if old is None else old + SMOOTHING * (ttft_s - old)
            self._ttft.add(ttft_s)
            late = self._first.saw(0.0, ttft_s)
        elif tokens is not None:
            late = self._whole.saw(float(tokens), latency_s)
        self._heard.add(heard)
        weight = max(STEADY, 1.0 / len(self._heard))
        old = self.heard_s
        self.heard_s = heard if old is None else old + weight * (heard - old)
        old = self.mean_s
        self.mean_s = latency_s if old is None else old + weight * (latency_s - old)
        self._late = late if slow_s is None else max(late, heard / slow_s)
        return self._late

    @property
    def p95_ttft_s(self) -> float | None:
        """19 of 20 of the latest streams had begun after so long; None while there are few."""
        return self._ttft.quantile(0.95)

    @property
    def median_heard_s(self) -> float | None:
        """Half of the latest calls gave a first sign of an answer in so long; None while few."""
        return self._heard.quantile(0.5)

    @property
    def p95_heard_s(self) -> float | None:
        """The same of the first sign of an answer: a stream's first token, or a whole answer."""
        return self._heard.quantile(0.95)


class _Line:
    """A least-squares line through the past, the latest counting most; O(1) memory.

    Weighted running moments as in T. Finch, Incremental calculation of weighted mean and variance,
    2009, section 9.
    """

    __slots__ = ("_calls", "_cov", "_var", "_x", "_y")

    def __init__(self) -> None:
        self._calls = 0
        self._x = self._y = self._var = self._cov = 0.0

    def saw(self, x: float, y: float) -> float:
        """How far up to what is slow `y` reaches, 0 before enough is known; takes the point in.

        Of a slow one it takes in only as much as makes it slow: one hung call is not a new pace.
        """
        late = 0.0
        if self._calls >= MIN_CALLS:
            usual = self._at(x)
            bound = max(SLOW_TIMES * usual, usual + SLOW_BY_S)
            late = y / bound
            y = min(y, bound)
        self._calls += 1
        weight = max(_SLOWEST_LEARNING, 1.0 / self._calls)
        dx, dy = x - self._x, y - self._y
        self._x += weight * dx
        self._y += weight * dy
        self._var = (1.0 - weight) * (self._var + weight * dx * dx)
        self._cov = (1.0 - weight) * (self._cov + weight * dx * dy)
        return late

    def _at(self, x: float) -> float:
        slope = max(0.0, self._cov / self._var) if self._var > 0 else 0.0
        return max(0.0, self._y + slope * (x - self._x))
