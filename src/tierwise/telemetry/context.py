"""Traces that go through several services, as W3C Trace Context writes them in headers.

https://www.w3.org/TR/trace-context/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from tierwise.providers.http import HttpRequest
from tierwise.telemetry.ids import RandomIds
from tierwise.types import Trace

PARENT = b"traceparent"
STATE = b"tracestate"
_OURS = frozenset({"traceparent", "tracestate"})
_MOST_STATE = 512
"""Characters of a `tracestate` that are passed on; a longer one may be left out as a whole."""
_FORM = re.compile(rb"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_VERSION_0_CHARS = 55
_NO_TRACE, _NO_SPAN = b"0" * 32, b"0" * 16
_ALL = 1 << 64
_traces, _spans = RandomIds(16), RandomIds(8)


def new_span() -> str:
    """The id of a new span."""
    return _spans.new()


def new_span_bytes() -> bytes:
    """The same as bytes."""
    return bytes.fromhex(_spans.new())


def span_for(trace: Trace | None) -> str | None:
    """An id for one call of a request; None where nobody follows it."""
    return None if trace is None else new_span()


def carrying(request: HttpRequest, trace: Trace | None, span: str | None) -> HttpRequest:
    """The call, which says whose part it is; as it was where nobody follows it."""
    if trace is None or span is None:
        return request
    part_of = f"traceparent: 00-{trace.id}-{span}-{'01' if trace.sampled else '00'}\r\n"
    if trace.state:
        part_of += f"tracestate: {trace.state}\r\n"
    return replace(request, part_of=part_of.encode("ascii"))


def carrying_on(
    headers: Sequence[tuple[str, str]], trace: Trace | None, span: str | None
) -> list[tuple[str, str]]:
    """The headers of a call that is passed through, as `carrying`: in place of its caller's own."""
    if trace is None or span is None:
        return list(headers)
    kept = [one for one in headers if one[0].lower() not in _OURS]
    return [*kept, *_headers(trace, span).items()]


def _headers(trace: Trace, span: str) -> dict[str, str]:
    headers = {"traceparent": f"00-{trace.id}-{span}-{'01' if trace.sampled else '00'}"}
    if trace.state:
        headers["tracestate"] = trace.state
    return headers


def heard(headers: Mapping[bytes, bytes]) -> Trace | None:
    """The trace that a request says it is part of, for logs where no traces are sent."""
    return Tracing(0.0).begin(headers) if PARENT in headers else None


class Tracing:
    """Begins the traces of requests.

    Args:
        sample: the share of traces that are told of, from 0 to 1.
        follow: whether a caller who has a trace decides that about it.
    """

    def __init__(self, sample: float = 1.0, *, follow: bool = True) -> None:
        self._bound = round(sample * _ALL)
        self._follow = follow

    def begin(
        self, headers: Mapping[bytes, bytes], given: Iterable[tuple[bytes, bytes]] | None = None
    ) -> Trace:
        """The trace of one request. A header that is not of that form is taken for none.

        Args:
            given: the headers as they came, where some may have come several times.
        """
        written = headers.get(PARENT)
        if written is not None:
            trace = self._continued(written, _state(headers, given))
            if trace is not None:
                return trace
        name = _traces.new()
        sampled = self._bound == _ALL or int(name[16:], 16) < self._bound
        return Trace(id=name, span=_spans.new(), sampled=sampled)

    def _continued(self, written: bytes, state: bytes) -> Trace | None:
        found = _FORM.fullmatch(written)
        if found is None:
            return None
        version, trace, parent, flags = found.groups()
        if trace == _NO_TRACE or parent == _NO_SPAN:
            return None
        if version == b"00" and len(written) != _VERSION_0_CHARS:
            return None
        sampled = int(flags, 16) & 1 if self._follow else int(trace[16:], 16) < self._bound
        return Trace(
            id=trace.decode(),
            span=new_span(),
            parent=parent.decode(),
            sampled=bool(sampled),
            state=state.decode("latin-1") if _may_pass(state) else "",
        )


def _state(headers: Mapping[bytes, bytes], given: Iterable[tuple[bytes, bytes]] | None) -> bytes:
    """Its `tracestate`. Several are one, in their order.

    https://www.w3.org/TR/trace-context/#tracestate-header-field-values
    """
    if given is None or STATE not in headers:
        return headers.get(STATE, b"")
    return b",".join(value for name, value in given if name == STATE and value)


def _may_pass(state: bytes) -> bool:
    """Whether it can stand in a header again."""
    return len(state) <= _MOST_STATE and state.isascii() and state.decode("ascii").isprintable()
