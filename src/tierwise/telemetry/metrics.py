"""The metrics of OpenTelemetry's conventions for generative AI, counted here and sent as a whole.

https://github.com/open-telemetry/semantic-conventions-genai, v0.1.0. Those that it has in place of
what version 1.41 of the general conventions had are sent by both names unless it is said otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tierwise.telemetry.histogram import Histogram
from tierwise.telemetry.places import EMBEDDINGS, INFERENCE, Place, Places, error_of
from tierwise.telemetry.series import (
    DURATIONS,
    TO_FIRST,
    TOKENS,
    Pairs,
    counter,
    figure,
    histogram,
    since,
    spread,
)
from tierwise.types import Attempt, Record, Usage

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


class GenAiMetrics:
    """Counts what records say. `observe` and `encoded` may be called in different threads: what is
    read in the middle of a request is in the next sum.

    Args:
        began: the Unix time since when is counted.
        older: whether metrics that have another name now are sent by the one before as well.
    """

    def __init__(self, places: Places, began: float, *, older: bool = True) -> None:
        self.places = places
        self._began = began
        self._older = older
        self._calls: dict[tuple[str, str, str | None, bool], Calls] = {}
        self._requests: dict[tuple[str | None, str | None, str], _Requests] = {}

    def observe(self, record: Record) -> None:
        """Takes in one finished request."""
        key = (record.decision.policy, record.model, record.status)
        requests = self._requests.get(key)
        if requests is None:
            if len(self._requests) >= MOST_SERIES:
                return
            requests = self._requests[key] = _Requests(*key)
        requests.duration.add(record.latency_s)
        requests.cost += record.cost_usd
        requests.reference += record.reference_cost_usd
        for attempt in record.attempts:
            self._call(attempt)

    def _call(self, attempt: Attempt) -> None:
        error = error_of(attempt)
        key = (attempt.deployment, attempt.model, error, attempt.usage is not None)
        calls = self._calls.get(key)
        if calls is None:
            if len(self._calls) >= MOST_SERIES:
                return
            answered = attempt.model if attempt.usage is not None else None
            place = self.places.of(attempt)
            calls = self._calls[key] = Calls(place, attempt.deployment, answered, error)
        calls.duration.add(attempt.latency_s)
        if attempt.ttft_s is not None:
            calls.to_first.add(attempt.ttft_s)
        if attempt.usage is not None:
            calls.used(attempt.usage)

    def encoded(self, now: float) -> Iterable[bytes]:
        """Each metric as a field of `ScopeMetrics`, as it stands at this Unix time."""
        span = since(self._began, now)
        calls, requests = list(self._calls.values()), list(self._requests.values())
        yield from _of_inference(span, [one for one in calls if one.kind == INFERENCE])
        yield from _of_embeddings(span, [one for one in calls if one.kind == EMBEDDINGS])
        yield from _of_operations(span, calls, older=self._older)
        yield histogram(
            "tierwise.request.duration", "s", "From when a request was routed to its answer's end.",
            [spread(span, one.facts, one.duration) for one in requests],
        )  # fmt: skip
        yield counter(
            "tierwise.cost", "USD", "USD spent, all attempts billed.",
            [figure(span, one.facts, one.cost) for one in requests],
        )  # fmt: skip
        yield counter(
            "tierwise.reference_cost", "USD", "USD that the reference model would have cost.",
            [figure(span, one.facts, one.reference) for one in requests],
        )  # fmt: skip


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


class _Requests:
    """The requests of one policy that one model answered, or that ended alike."""

    __slots__ = ("cost", "duration", "facts", "reference")

    def __init__(self, policy: str | None, model: str | None, status: str) -> None:
        self.facts: Pairs = (
            ("tierwise.policy", policy),
            ("gen_ai.response.model", model),
            ("tierwise.status", status),
        )
        self.duration = Histogram(DURATIONS)
        self.cost = 0.0
        self.reference = 0.0


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
