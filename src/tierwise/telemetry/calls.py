"""The calls to providers as the conventions for generative AI count them, by what they do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tierwise.telemetry.histogram import Histogram
from tierwise.telemetry.places import EMBEDDINGS, INFERENCE, Place
from tierwise.telemetry.series import (
    DURATIONS,
    TO_FIRST,
    TOKENS,
    Pairs,
    counter,
    figure,
    histogram,
    spread,
)
from tierwise.types import Usage

MOST_SERIES = 2_000
"""Of one metric; what comes beyond is not counted. A set-up has far fewer."""
_COUNTED = (
    ("input_tokens", "The number of input (prompt) tokens used, including cached tokens."),
    ("output_tokens", "The number of output tokens used, including reasoning tokens."),
    ("cache_read.input_tokens", "The number of input tokens served from a provider's cache."),
    ("cache_write.input_tokens", "The number of input tokens written to a provider's cache."),
    ("reasoning.output_tokens", "The number of output tokens used for reasoning."),
)
_MODALITY = ("gen_ai.token.modality", "unknown")
"""Providers of answers seldom say which of their tokens were pictures or sound."""


class Calls:
    """The calls to one place that ended alike."""

    __slots__ = (
        "cache_read", "cache_written", "duration", "facts", "input", "kind", "model_facts",
        "output", "reasoning", "to_first",
    )  # fmt: skip

    def __init__(
        self, place: Place, deployment: str | None, answered: str | None, error: str | None
    ) -> None:
        self.kind = place.kind
        self.model_facts: Pairs = (
            ("gen_ai.operation.name", place.operation),
            ("gen_ai.provider.name", place.provider),
            ("gen_ai.request.model", place.model or None),
            ("gen_ai.response.model", answered),
            ("server.address", place.address or None),
            ("server.port", place.port if place.address else None),
            ("tierwise.deployment", deployment),
        )
        self.facts: Pairs = (*self.model_facts, ("error.type", error))
        self.duration = Histogram(DURATIONS)
        self.to_first = Histogram(TO_FIRST)
        self.input = Histogram(TOKENS)
        self.output = Histogram(TOKENS)
        self.cache_read = self.cache_written = self.reasoning = 0

    def used(self, usage: Usage) -> None:
        """One more call took so many tokens."""
        self.input.add(usage.input_tokens)
        self.output.add(usage.output_tokens)
        self.cache_read += usage.cached_input_tokens
        self.cache_written += usage.cache_write_tokens
        self.reasoning += usage.reasoning_tokens

    @property
    def counted(self) -> tuple[int, ...]:
        """The tokens of all calls, in the order of `_COUNTED`."""
        both = int(self.input.sum), int(self.output.sum)
        return (*both, self.cache_read, self.cache_written, self.reasoning)


def metrics_of(span: bytes, calls: Sequence[Calls], *, older: bool) -> Iterator[bytes]:
    """The metrics of calls, each as a field of `ScopeMetrics`; see `GenAiMetrics`."""
    yield from _of_inference(span, [one for one in calls if one.kind == INFERENCE])
    yield from _of_embeddings(span, [one for one in calls if one.kind == EMBEDDINGS])
    yield from _of_operations(span, calls, older=older)


def _of_inference(span: bytes, calls: Sequence[Calls]) -> Iterator[bytes]:
    name = "gen_ai.client.inference"
    yield histogram(
        f"{name}.duration", "s", "GenAI client inference operation duration.",
        [spread(span, one.facts, one.duration) for one in calls],
    )  # fmt: skip
    yield histogram(
        f"{name}.time_to_first_chunk", "s", "Time to the first chunk of a streamed answer.",
        [spread(span, one.facts, one.to_first) for one in calls if one.to_first.count],
    )  # fmt: skip
    for index, (kind, meaning) in enumerate(_COUNTED):
        yield counter(
            f"{name}.usage.{kind}", "{token}", meaning,
            [figure(span, (*one.model_facts, _MODALITY), one.counted[index]) for one in calls],
        )  # fmt: skip
    counted = [one for one in calls if one.input.count]
    yield histogram(
        f"{name}.operation.input_tokens", "{token}", "Input tokens used per operation.",
        [spread(span, one.model_facts, one.input) for one in counted],
    )  # fmt: skip
    yield histogram(
        f"{name}.operation.output_tokens", "{token}", "Output tokens used per operation.",
        [spread(span, one.model_facts, one.output) for one in counted],
    )  # fmt: skip


def _of_embeddings(span: bytes, calls: Sequence[Calls]) -> Iterator[bytes]:
    name = "gen_ai.client.embeddings"
    yield histogram(
        f"{name}.duration", "s", "GenAI client embeddings operation duration.",
        [spread(span, one.facts, one.duration) for one in calls],
    )  # fmt: skip
    yield histogram(
        f"{name}.operation.input_tokens", "{token}",
        "The number of input tokens used per embeddings operation.",
        [spread(span, one.model_facts, one.input) for one in calls if one.input.count],
    )  # fmt: skip


def _of_operations(span: bytes, calls: Sequence[Calls], *, older: bool) -> Iterator[bytes]:
    """All other calls, and, by the names of version 1.41, those above once more."""
    name = "gen_ai.client.operation"
    yield histogram(
        f"{name}.duration", "s", "GenAI operation duration.",
        [
            spread(span, one.facts, one.duration)
            for one in calls
            if older or one.kind not in (INFERENCE, EMBEDDINGS)
        ],
    )  # fmt: skip
    if not older:
        return
    yield histogram(
        f"{name}.time_to_first_chunk", "s", "Time to the first chunk of a streamed answer.",
        [spread(span, one.facts, one.to_first) for one in calls if one.to_first.count],
    )  # fmt: skip
    yield histogram(
        "gen_ai.client.token.usage", "{token}", "Number of input and output tokens used.",
        [
            spread(span, (*one.model_facts, ("gen_ai.token.type", kind)), tokens)
            for one in calls
            for kind, tokens in (("input", one.input), ("output", one.output))
            if tokens.count and (kind == "input" or one.kind != EMBEDDINGS)
        ],
    )  # fmt: skip
