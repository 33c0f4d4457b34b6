"""What serving chooses on its terms: ties stay with the base, and the guard has its say."""

from __future__ import annotations

import numpy as np
import pytest

from tierwise.learning.expected import Expected
from tierwise.routing.exchange import Rate, Terms
from tierwise.routing.weigh import TIE, weigh
from tierwise.types import Estimate

BASE, OTHER, PRICE = 1, 0, 10.0
NAMES = ("large", "small")


def expected(*, guarded: bool, disagreement: float = 0.0, novelty: float = 0.0) -> Expected:
    """Three prompts, for which the large one is worth a lot more, just more than a tie, and less
    than a tie more than the small one."""
    cost = np.tile([0.010, 0.001], (3, 1))
    gains = np.array([0.3, 1.5 * TIE, 0.5 * TIE])
    small = np.full(3, 0.5)
    return Expected(
        quality=np.column_stack([small + gains + PRICE * 0.009, small]),
        disagreement=np.full((3, 2), disagreement),
        cost=cost,
        novelty=np.full(3, novelty),
        guarded=guarded,
    )


def test_a_tie_stays_with_the_base_as_it_does_in_serving() -> None:
    found = expected(guarded=False)
    assert found.served(PRICE, BASE, (0, 1)).tolist() == [OTHER, OTHER, BASE]
    plain = found.choices(np.array([PRICE]), np.array([BASE]), (0, 1))
    assert plain[0].tolist() == [OTHER, OTHER, OTHER]


def test_where_the_guard_is_on_only_a_sure_gain_leaves_the_base() -> None:
    doubtful = expected(guarded=True, disagreement=0.1)
    assert doubtful.served(PRICE, BASE, (0, 1)).tolist() == [OTHER, BASE, BASE]
    strange = expected(guarded=True, novelty=1.0)
    assert strange.served(PRICE, BASE, (0, 1)).tolist() == [BASE, BASE, BASE]


@pytest.mark.parametrize("guarded", [False, True])
@pytest.mark.parametrize(("disagreement", "novelty"), [(0.0, 0.0), (0.1, 0.0), (0.05, 0.4)])
def test_it_is_what_serving_decides_one_task_at_a_time(
    guarded: bool, disagreement: float, novelty: float
) -> None:
    found = expected(guarded=guarded, disagreement=disagreement, novelty=novelty)
    rate = Rate(per_usd=PRICE, quality=0.8, cost_usd=0.01, cost_share=0.5, reaches=True)
    terms = Terms(rate, base="small", line_up=NAMES)
    served = [
        weigh(
            {
                name: Estimate(
                    quality=quality,
                    quality_low=quality - disagreement,
                    cost_usd=float(found.cost[row, place]),
                    cost_p90_usd=0.0,
                    ttft_s=0.0,
                    latency_s=0.0,
                    novelty=novelty,
                )
                for place, name in enumerate(NAMES)
                for quality in [float(found.quality[row, place])]
            },
            terms, 0.01, foreign=guarded,
        ).first
        for row in range(3)
    ]  # fmt: skip
    assert [NAMES[place] for place in found.served(PRICE, BASE, (0, 1))] == served
