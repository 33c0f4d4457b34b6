"""The spans and metrics of requests that are for no answer: embeddings, and what is passed through.

They are few beside answers, so nothing of them is kept for the next one.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from tierwise.ledger import EMBEDDINGS, Aside, Told
from tierwise.telemetry.calls import MOST_SERIES, Calls
from tierwise.telemetry.context import new_span
from tierwise.telemetry.places import OTHER, Kind, Place, Places, error_of
from tierwise.telemetry.protobuf import Value, attributes, fixed64, message, number, text
from tierwise.telemetry.spans import LOCAL, REMOTE
from tierwise.types import Attempt, Trace, Usage

_SERVER, _CLIENT = 2, 3
_FAILED = message(15, number(3, 2))
_NS = 1_000_000_000
_HTTP_ERROR = 400
_MADE = {"images": "image", "audio": "text"}
"""What calls that generate something are for, by what stands first in their path."""
_SPEECH = "/v1/audio/speech"
Pairs = tuple[tuple[str, Value | None], ...]


class Doing(Struct, frozen=True):
    """What a request does, in the words of the conventions; `output` is what it makes."""

    operation: str
    kind: Kind
    output: str | None = None


def doing(aside: Aside) -> Doing:
    """What a request does. Where the conventions have no word, the path's own one stands."""
    if aside.kind == EMBEDDINGS:
        return Doing("embeddings", "embeddings")
    method, _, path = aside.asked.partition(" ")
    made = _MADE.get(aside.kind) if method == "POST" else None
    if made is not None:
        return Doing("generate_content", "inference", "speech" if path == _SPEECH else made)
    if method == "POST" and aside.kind == "vector_stores" and path.endswith("/search"):
        return Doing("retrieval", OTHER)
    return Doing(aside.kind, OTHER)


class AsideSpans:
    """Writes the spans of such requests: that of the request, and one for each call below it."""

    def __init__(self, places: Places) -> None:
        self._places = places

    def of(self, aside: Aside, told: Told, trace: Trace) -> list[bytes]:
        """All of a request's, each as a field of `ScopeSpans`."""
        at = int(aside.at * _NS)
        began, ended = at - int(told.waited_s * _NS), at + int(aside.latency_s * _NS)
        does = doing(aside)
        model = told.model if aside.kind != EMBEDDINGS else aside.asked
        facts = attributes(9, self._root(aside, told, does, model))
        head = text(5, _named(does.operation, model)) + number(6, _SERVER)
        if aside.status == "error":
            facts += _FAILED
        above, flags = (None, LOCAL) if trace.parent is None else (trace.parent, REMOTE)
        if trace.state:
            facts += text(3, trace.state)
        found = [_span(trace.id, trace.span, above, began, ended, head + facts + flags)]
        found += (self._attempt(told, attempt, trace, at) for attempt in aside.attempts)
        if told.span is not None:
            found.append(self._passed(aside, told, does, trace, at + int(told.began_s * _NS)))
        return found

    def _root(self, aside: Aside, told: Told, does: Doing, model: str | None) -> Pairs:
        place, owner = _place(self._places, aside), aside.owner
        return (
            ("gen_ai.operation.name", does.operation),
            ("gen_ai.provider.name", place.provider if place is not None else None),
            ("gen_ai.request.model", model),
            ("gen_ai.response.model", aside.model),
            ("gen_ai.output.type", does.output),
            *_asked_for(told),
            *_used(aside.input_tokens, aside.output_tokens if aside.kind != EMBEDDINGS else None),
            *_http(aside),
            ("error.type", _error(aside)),
            ("tierwise.decision.id", aside.id or None),
            ("tierwise.status", aside.status),
            ("tierwise.deployment", aside.deployment),
            ("tierwise.attempts", len(aside.attempts) or None),
            ("tierwise.failovers", aside.failovers or None),
            ("tierwise.cost_usd", aside.cost_usd),
            ("tierwise.caller", aside.caller),
            ("tierwise.key", owner.key if owner else None),
            ("tierwise.user", owner.user if owner else None),
            ("tierwise.team", owner.team if owner else None),
            ("tierwise.org", owner.org if owner else None),
        )

    def _attempt(self, told: Told, attempt: Attempt, trace: Trace, at: int) -> bytes:
        """One call for vectors."""
        place = replace(self._places.of(attempt), operation="embeddings")
        error, usage = error_of(attempt), attempt.usage
        facts: Pairs = (
            *_where(place),
            ("gen_ai.response.model", attempt.model if usage is not None else None),
            *_asked_for(told),
            *_used(usage.input_tokens if usage is not None else None, None),
            ("http.response.status_code", attempt.status),
            ("error.type", error),
            ("tierwise.deployment", attempt.deployment),
            ("tierwise.outcome", attempt.outcome),
            ("tierwise.cost_usd", attempt.cost_usd),
            ("tierwise.usage_estimated", attempt.estimated or None),
        )
        began = at + int((attempt.began_s or 0.0) * _NS)
        ended = began + int(attempt.latency_s * _NS)
        head = text(5, _named("embeddings", place.model)) + number(6, _CLIENT)
        status = _FAILED if error is not None and error != "cancelled" else b""
        written = head + attributes(9, facts) + status + LOCAL
        return _span(trace.id, attempt.span or new_span(), trace.span, began, ended, written)

    def _passed(self, aside: Aside, told: Told, does: Doing, trace: Trace, began: int) -> bytes:
        """The one call of a request that was passed through."""
        place = _place(self._places, aside)
        error = _error(aside)
        facts: Pairs = (
            *_where(_with(place, does, told.model, aside)),
            ("gen_ai.output.type", does.output),
            *_used(aside.input_tokens, aside.output_tokens),
            *_http(aside),
            ("error.type", error),
        )
        head = text(5, _named(does.operation, told.model)) + number(6, _CLIENT)
        status = _FAILED if error is not None and error != "cancelled" else b""
        ended = int(aside.at * _NS) + int(aside.latency_s * _NS)
        written = head + attributes(9, facts) + status + LOCAL
        return _span(trace.id, told.span or "", trace.span, began, ended, written)


class AsideCalls:
    """Counts the calls of such requests, for the metrics of the conventions."""

    def __init__(self) -> None:
        self._calls: dict[tuple[object, ...], Calls] = {}

    @property
    def all(self) -> list[Calls]:
        """Those that ended alike, together."""
        return list(self._calls.values())

    def observe(self, aside: Aside, places: Places) -> None:
        """Takes in one request that is over."""
        for attempt in aside.attempts:
            place = replace(places.of(attempt), operation="embeddings", kind="embeddings")
            answered = attempt.model if attempt.usage is not None else None
            calls = self._found(place, attempt.deployment, answered, error_of(attempt))
            if calls is not None:
                calls.duration.add(attempt.latency_s)
                if attempt.usage is not None:
                    calls.used(attempt.usage)
        told = aside.told
        if isinstance(told, Told) and told.sent:
            self._passed(aside, told, places)

    def _passed(self, aside: Aside, told: Told, places: Places) -> None:
        does, error = doing(aside), _error(aside)
        # A name that the provider refused may be anybody's invention.
        model = told.model if error is None else None
        place = _with(_place(places, aside), does, model, aside)
        calls = self._found(place, None, None, error)
        if calls is None:
            return
        calls.duration.add(max(0.0, aside.latency_s - told.began_s))
        if aside.input_tokens is not None or aside.output_tokens is not None:
            both = {"input_tokens": aside.input_tokens, "output_tokens": aside.output_tokens}
            calls.used(Usage(**{name: count or 0 for name, count in both.items()}))

    def _found(
        self, place: Place, deployment: str | None, answered: str | None, error: str | None
    ) -> Calls | None:
        """The calls like this one; None if there is no room for others."""
        key = (place, deployment, answered, error)
        calls = self._calls.get(key)
        if calls is None and len(self._calls) < MOST_SERIES:
            calls = self._calls[key] = Calls(place, deployment, answered, error)
        return calls


def _place(places: Places, aside: Aside) -> Place | None:
    return None if aside.provider is None else places.of_provider(aside.provider)


def _with(place: Place | None, does: Doing, model: str | None, aside: Aside) -> Place:
    """Where a call that was passed through went, as far as it is known."""
    known = place or Place("", aside.provider or "", "", "", 0)
    return replace(known, operation=does.operation, kind=does.kind, model=model or "")


def _where(place: Place) -> Pairs:
    return (
        ("gen_ai.operation.name", place.operation),
        ("gen_ai.provider.name", place.provider),
        ("gen_ai.request.model", place.model or None),
        ("server.address", place.address or None),
        ("server.port", place.port if place.address else None),
    )


def _asked_for(told: Told) -> Pairs:
    """How vectors are to be."""
    return (
        ("gen_ai.embeddings.dimension.count", told.dimensions),
        ("gen_ai.request.encoding_formats", None if told.encoding is None else (told.encoding,)),
    )


def _used(given: int | None, made: int | None) -> Pairs:
    return ("gen_ai.usage.input_tokens", given), ("gen_ai.usage.output_tokens", made)


def _http(aside: Aside) -> Pairs:
    """What was called, of what was passed through."""
    if aside.kind == EMBEDDINGS:
        return ()
    method, _, path = aside.asked.partition(" ")
    return (
        ("http.request.method", method),
        ("url.path", path),
        ("http.response.status_code", aside.code),
    )


def _error(aside: Aside) -> str | None:
    """The class of what went wrong: the provider's status, if that says it."""
    if aside.status == "cancelled":
        return "cancelled"
    if aside.status == "ok":
        return None
    if aside.kind != EMBEDDINGS and aside.code is not None and aside.code >= _HTTP_ERROR:
        return str(aside.code)
    return (aside.error or "").partition(":")[0] or "_OTHER"


def _named(operation: str, model: str | None) -> str:
    return f"{operation} {model}" if model else operation


def _span(trace: str, span: str, above: str | None, began: int, ended: int, facts: bytes) -> bytes:
    """One span, as a field of `ScopeSpans`; ids are hex, times Unix times in nanoseconds."""
    fields: Iterable[bytes] = (
        message(1, bytes.fromhex(trace)),
        message(2, bytes.fromhex(span)),
        message(4, bytes.fromhex(above)) if above is not None else b"",
        fixed64(7, began),
        fixed64(8, ended),
        facts,
    )
    return message(2, *fields)
