"""Two simulated models that answer at a lifelike pace and at varied length, for measuring waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from math import exp, log
from statistics import NormalDist

from tierwise.bench.prose import text
from tierwise.fleet.draw import dice, draw
from tierwise.fleet.source import CHARS_PER_TOKEN, FleetModel, Said, WorkItem, count_tokens
from tierwise.types import Prices

SMALL = FleetModel(
    id="sim-small",
    upstream="sim-small",
    prices=Prices(input=0.15, output=0.6),
    quality=0.85,
    homes=("alpha",),
    ttft_s=0.3,
    tokens_per_s=100.0,
)
LARGE = FleetModel(
    id="sim-large",
    upstream="sim-large",
    prices=Prices(input=10.0, output=30.0),
    quality=0.98,
    homes=("beta",),
    ttft_s=0.6,
    tokens_per_s=60.0,
)
MEDIAN_TOKENS = 120
_SPREAD = 0.8
"""Standard deviation of the logarithm of an answer's tokens: one in twenty is of 450 or more."""
_FEWEST, _MOST = 10, 1000
DECLINES, CUT_OFF = 0.1, 0.1
"""Shares of the small model's answers that begin with a refusal, and that end too early."""

_DECLINING = "I'm sorry, but I can't help with that request. "


class Writers:
    """A source of answers in prose, for `Fleet`: which is which follows from the item's id.

    What the small model writes falls short in a known share of cases: `DECLINES` shows at the
    beginning, `CUT_OFF` only at the end. What the large model writes is whole.
    """

    simulated = True
    reference = LARGE.id

    def __init__(self, requests: int) -> None:
        self.models: Mapping[str, FleetModel] = {one.id: one for one in (SMALL, LARGE)}
        self._items = {
            _prompt(number): WorkItem(
                id=f"report-{number}",
                request={"messages": [{"role": "user", "content": _prompt(number)}]},
                kind="chat",
                domain="general",
            )
            for number in range(requests)
        }

    def prepare(self) -> None:
        """Writes the small model's answers, so that no request waits for that."""
        for item in self._items.values():
            self.said(item, SMALL.id)

    def items(self) -> Sequence[WorkItem]:
        """One for each request."""
        return list(self._items.values())

    def find(self, prompt: str) -> WorkItem | None:
        """The item with this text."""
        return self._items.get(prompt)

    def said(self, item: WorkItem, model: str, _choice: int = 0) -> Said:
        """What a model writes; each model the same every time."""
        prose, finish = _prose(item.id, model), "stop"
        if model == SMALL.id and self.falls_short(item):
            if _fate(item) < DECLINES:
                prose = _DECLINING + prose
            else:
                finish = "length"
        return Said(
            text=prose,
            finish_reason=finish,
            input_tokens=count_tokens(str(item.request)),
            output_tokens=count_tokens(prose),
        )

    def falls_short(self, item: WorkItem) -> bool:
        """Whether the small model's answer is one that gates reject."""
        return _fate(item) < DECLINES + CUT_OFF

    def score(self, item: WorkItem, model: str, _answer: str) -> float | None:
        """0 for an answer that falls short, else 1."""
        return float(model != SMALL.id or not self.falls_short(item))

    def unknown(self, model: str, _prompt: str) -> str:
        """What is said to a prompt that is none of the items."""
        return f"This is {model}, a simulated model that knows nothing."


def _prompt(number: int) -> str:
    return f"Write report {number} about what went on at the depot."


def _fate(item: WorkItem) -> float:
    return draw("fate", item.id)


@cache
def _prose(item_id: str, model: str) -> str:
    """Sentences up to a length that is drawn from a log-normal distribution."""
    # The ends of (0, 1) are left out, where the quantile is infinite.
    chance = 0.001 + 0.998 * draw("length", item_id)
    tokens = exp(NormalDist(log(MEDIAN_TOKENS), _SPREAD).inv_cdf(chance))
    wanted = min(_MOST, max(_FEWEST, tokens))
    return text(dice("prose", item_id, model), round(wanted * CHARS_PER_TOKEN))
