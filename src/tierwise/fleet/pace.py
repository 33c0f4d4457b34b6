"""How long an answer takes, lifelike."""

from __future__ import annotations

from collections.abc import Sequence

from tierwise.fleet.draw import draw
from tierwise.fleet.faults import Slow
from tierwise.fleet.source import FleetModel, Said


def pace(
    model: FleetModel, said: Sequence[Said], prompt: str, speed: float, slow: Slow | None
) -> tuple[float, float]:
    """Seconds until the first token, and from there to the last.

    The recorded latency where there is one, else what the model usually takes, which differs from
    prompt to prompt but not from time to time. Several choices are made at the same time.

    Args:
        speed: factor on lifelike latency.
        slow: the fault, if it hits this request.
    """
    factor = speed * (slow.factor if slow is not None else 1.0)
    extra = slow.seconds if slow is not None else 0.0
    longest = max(said, key=lambda one: one.output_tokens)
    first = model.ttft_s * (0.7 + 0.8 * draw("ttft", model.id, prompt))
    rest = longest.output_tokens / model.tokens_per_s
    if longest.latency_s is not None:
        first = min(first, longest.latency_s)
        rest = longest.latency_s - first
    return first * factor + extra, rest * factor
