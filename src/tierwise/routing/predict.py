"""What to expect of a model on a task, before asking it."""

from __future__ import annotations

from typing import Protocol

from tierwise.catalog import cost
from tierwise.types import Estimate, Model, Profile, Usage


class Latency(Protocol):
    """Observed latency of a model's best deployment, in seconds; None where nothing was seen."""

    ttft_s: float | None
    latency_s: float | None


class Predictor(Protocol):
    """Quality, cost and latency of one model on one task."""

    def estimate(self, profile: Profile, model: Model, latency: Latency | None) -> Estimate:
        """The estimate; a pure function of its inputs."""


class PriorPredictor:
    """The catalogue's prior, bent by difficulty and speciality.

    A prior q for everyday tasks leaves 1-q to be missed; easy tasks miss less of it, hard ones
    more (in proportion to difficulty, the everyday task at 0.4), and a speciality halves it. The
    lower bound leaves as much room as priors are uncertain.
    """

    EVERYDAY = 0.4
    DOUBT = 0.1
    DEFAULT_TTFT_S = 0.5
    DEFAULT_S_PER_TOKEN = 0.015
    P90_OUTPUT = 2.0

    def estimate(self, profile: Profile, model: Model, latency: Latency | None) -> Estimate:
        """See `Predictor`."""
        missed = (1.0 - model.quality) * profile.difficulty / self.EVERYDAY
        if profile.domain in model.specialises:
            missed *= 0.5
        quality = max(0.0, 1.0 - missed)
        usage = Usage(input_tokens=profile.input_tokens, output_tokens=profile.output_tokens)
        worst = Usage(
            input_tokens=profile.input_tokens,
            output_tokens=int(profile.output_tokens * self.P90_OUTPUT),
        )
        ttft = latency.ttft_s if latency is not None else None
        total = latency.latency_s if latency is not None else None
        if ttft is None:
            ttft = self.DEFAULT_TTFT_S
        if total is None:
            total = ttft + profile.output_tokens * self.DEFAULT_S_PER_TOKEN
        return Estimate(
            quality=quality,
            quality_low=max(0.0, quality - self.DOUBT),
            cost_usd=cost(usage, model.prices),
            cost_p90_usd=cost(worst, model.prices),
            ttft_s=ttft,
            latency_s=total,
        )
