"""The spans of a request, made from its record when all is over.

Nothing of this happens while the request is on its way: the record says when what began and how
long it took. The request is the root, with what was asked and what came of it; below it are its
analysis, its routing, each call (a client's span, by the conventions for generative AI) and, below
the call, each gate that judged its answer.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from tierwise.telemetry.content import messages_of
from tierwise.telemetry.context import new_span
from tierwise.telemetry.places import Place, Places, error_of
from tierwise.telemetry.protobuf import (
    attributes,
    count_attribute,
    double_attribute,
    message,
    number,
    text,
    varint,
)
from tierwise.types import Attempt, Decision, Record, Trace, Verdict

_SPAN = 2
"""Of `ScopeSpans`: the field that holds spans."""
_ATTRIBUTE = 9
"""Of `Span`: the field that holds attributes."""
_INTERNAL, _SERVER, _CLIENT = 1, 2, 3
_FAILED = message(15, number(3, 2))
_HEAD = struct.Struct("<BB16sBB8sBQBQ").pack
_PARENT = struct.Struct("<BB8s").pack
# Field 16: sampled, and that it is known whether the parent is of another service, or that it is.
_LOCAL = b"\x85\x01" + struct.pack("<I", 0x101)
_REMOTE = b"\x85\x01" + struct.pack("<I", 0x301)
_MOST_KEPT = 4_096
"""Beginnings of spans that are kept; a set-up has fewer by far."""
_DECISION = "tierwise.decision.id"


class Spans:
    """Writes the spans of records.

    Args:
        content: whether prompts and answers are told, where a record has them.
    """

    def __init__(self, places: Places, *, content: bool = False) -> None:
        self.places = places
        self._content = content
        self._kept: dict[object, bytes] = {}

    def of(self, record: Record, trace: Trace) -> list[bytes]:
        """All of a request's, each as a field of `ScopeSpans`."""
        decision = record.decision
        at = decision.at
        analysis = record.analysis_s or 0.0
        arrived = at - analysis - (record.waited_s or 0.0)
        routed = at + (record.routing_s or 0.0)
        ids = bytes.fromhex(trace.id)
        root = bytes.fromhex(trace.span)
        found = [self._root(record, trace, ids, root, arrived, routed + record.latency_s)]
        if decision.policy is not None:  # else the caller has named a model, and nobody looked
            facts = self._analysis(record)
            found.append(_span(ids, _new(), root, at - analysis, at, facts, _LOCAL))
        found.append(_span(ids, _new(), root, at, routed, self._routing(record), _LOCAL))
        for attempt in record.attempts:
            found += self._calls(record, attempt, ids, root, routed)
        return found

    def _root(
        self, record: Record, trace: Trace, ids: bytes, root: bytes, began: float, ended: float
    ) -> bytes:
        decision, usage = record.decision, record.usage
        key = (
            "root", decision.requested, decision.policy, decision.reference, record.model,
            record.deployment, record.tier, record.status, record.stream, record.caller,
            record.owner, record.failovers, len(record.attempts), _error(record),
        )  # fmt: skip
        parts = [
            self._keep(key, lambda: self._root_facts(record)),
            attributes(_ATTRIBUTE, ((_DECISION, decision.id),)),
            count_attribute(_ATTRIBUTE, "gen_ai.usage.input_tokens", usage.input_tokens),
            count_attribute(_ATTRIBUTE, "gen_ai.usage.output_tokens", usage.output_tokens),
            double_attribute(_ATTRIBUTE, "tierwise.cost_usd", record.cost_usd),
            double_attribute(_ATTRIBUTE, "tierwise.reference_cost_usd", record.reference_cost_usd),
        ]
        if record.stream and record.ttft_s is not None:
            name = "gen_ai.response.time_to_first_chunk"
            parts.append(double_attribute(_ATTRIBUTE, name, record.ttft_s))
        if record.session is not None:
            session = (("gen_ai.conversation.id", record.session),)
            parts.append(attributes(_ATTRIBUTE, session))
        if self._content:
            parts.append(attributes(_ATTRIBUTE, messages_of(record)))
        if trace.state:
            parts.append(text(3, trace.state))
        parent = None if trace.parent is None else bytes.fromhex(trace.parent)
        flags = _LOCAL if parent is None else _REMOTE
        return _span(ids, root, parent, began, ended, b"".join(parts), flags)

    def _root_facts(self, record: Record) -> bytes:
        decision, owner = record.decision, record.owner
        error = _error(record)
        answered = (a for a in record.attempts if a.deployment == record.deployment)
        places = [self.places.of(attempt) for attempt in answered]
        pairs = (
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.provider.name", places[-1].provider if places else None),
            ("gen_ai.request.model", decision.requested),
            ("gen_ai.response.model", record.model),
            ("gen_ai.request.stream", record.stream),
            ("error.type", error),
            ("tierwise.status", record.status),
            ("tierwise.policy", decision.policy),
            ("tierwise.reference", decision.reference),
            ("tierwise.deployment", record.deployment),
            ("tierwise.tier", record.tier),
            ("tierwise.attempts", len(record.attempts)),
            ("tierwise.failovers", record.failovers),
            ("tierwise.caller", record.caller),
            ("tierwise.key", owner.key if owner else None),
            ("tierwise.user", owner.user if owner else None),
            ("tierwise.team", owner.team if owner else None),
            ("tierwise.org", owner.org if owner else None),
        )
        head = text(5, f"chat {decision.requested}") + number(6, _SERVER)
        status = _FAILED if record.status == "error" else b""
        return head + attributes(_ATTRIBUTE, pairs) + status

    def _analysis(self, record: Record) -> bytes:
        profile = record.decision.profile
        pairs = (
            ("tierwise.kind", profile.kind),
            ("tierwise.domain", profile.domain),
            ("tierwise.difficulty", profile.difficulty),
            ("tierwise.language", profile.language or None),
            ("tierwise.input_tokens", profile.input_tokens),
            ("tierwise.expected_output_tokens", profile.output_tokens),
        )
        return text(5, "analyse") + number(6, _INTERNAL) + attributes(_ATTRIBUTE, pairs)

    def _routing(self, record: Record) -> bytes:
        decision = record.decision
        if decision.policy is not None:
            return _routing_facts(decision)
        # The reason hangs on nothing but the name; else it is of this one task.
        return self._keep(("route", decision.requested), lambda: _routing_facts(decision))

    def _calls(
        self, record: Record, attempt: Attempt, ids: bytes, root: bytes, routed: float
    ) -> Iterator[bytes]:
        """The span of a call, and those of the gates that judged its answer."""
        span = _new() if attempt.span is None else bytes.fromhex(attempt.span)
        began = routed + (attempt.began_s or 0.0)
        ended = began + attempt.latency_s
        key = (
            "call", attempt.deployment, attempt.model, attempt.tier, attempt.outcome,
            attempt.status, attempt.gate, record.stream, error_of(attempt), attempt.estimated,
        )  # fmt: skip
        parts = [self._keep(key, lambda: self._call_facts(record, attempt))]
        usage = attempt.usage
        if usage is not None:
            counts = (
                ("gen_ai.usage.input_tokens", usage.input_tokens),
                ("gen_ai.usage.output_tokens", usage.output_tokens),
            )
            parts += [count_attribute(_ATTRIBUTE, name, count) for name, count in counts]
            more = (
                ("gen_ai.usage.cache_read.input_tokens", usage.cached_input_tokens),
                ("gen_ai.usage.cache_creation.input_tokens", usage.cache_write_tokens),
                ("gen_ai.usage.reasoning.output_tokens", usage.reasoning_tokens),
            )
            parts += [count_attribute(_ATTRIBUTE, name, count) for name, count in more if count]
        parts.append(double_attribute(_ATTRIBUTE, "tierwise.cost_usd", attempt.cost_usd))
        if attempt.ttft_s is not None:
            name = "gen_ai.response.time_to_first_chunk"
            parts.append(double_attribute(_ATTRIBUTE, name, attempt.ttft_s))
        if attempt.p is not None:
            parts.append(double_attribute(_ATTRIBUTE, "tierwise.p_acceptable", attempt.p))
        yield _span(ids, span, root, began, ended, b"".join(parts), _LOCAL)
        for verdict in attempt.verdicts:
            asked = ended + (verdict.after_s or 0.0)
            facts = self._gate(verdict)
            yield _span(ids, _new(), span, asked, asked + (verdict.took_s or 0.0), facts, _LOCAL)

    def _call_facts(self, record: Record, attempt: Attempt) -> bytes:
        place: Place = self.places.of(attempt)
        error = error_of(attempt)
        pairs = (
            ("gen_ai.operation.name", place.operation),
            ("gen_ai.provider.name", place.provider),
            ("gen_ai.request.model", place.model),
            ("gen_ai.response.model", attempt.model if attempt.usage is not None else None),
            ("gen_ai.request.stream", record.stream and attempt.outcome != "probe"),
            ("server.address", place.address or None),
            ("server.port", place.port if place.address else None),
            ("http.response.status_code", attempt.status),
            ("error.type", error),
            ("tierwise.deployment", attempt.deployment),
            ("tierwise.tier", attempt.tier),
            ("tierwise.outcome", attempt.outcome),
            ("tierwise.gate", attempt.gate or None),
            ("tierwise.usage_estimated", attempt.estimated or None),
        )
        head = text(5, f"{place.operation} {place.model}") + number(6, _CLIENT)
        status = _FAILED if error is not None and error != "cancelled" else b""
        return head + attributes(_ATTRIBUTE, pairs) + status

    def _gate(self, verdict: Verdict) -> bytes:
        """What a gate says. Its reason may quote the answer, so it is content."""
        key = ("gate", verdict.gate)
        name = f"gate {verdict.gate}"
        pairs = (("gen_ai.evaluation.name", verdict.gate),)
        head = text(5, name) + number(6, _INTERNAL)
        parts = [
            self._keep(key, lambda: head + attributes(_ATTRIBUTE, pairs)),
            double_attribute(_ATTRIBUTE, "gen_ai.evaluation.score.value", verdict.p),
        ]
        if self._content and verdict.reason:
            said = (("gen_ai.evaluation.explanation", verdict.reason),)
            parts.append(attributes(_ATTRIBUTE, said))
        return b"".join(parts)

    def _keep(self, key: object, make: Callable[[], bytes]) -> bytes:
        """What was made for this key before, or is made now."""
        known = self._kept.get(key)
        if known is None:
            known = make()
            if len(self._kept) < _MOST_KEPT:
                self._kept[key] = known
        return known


def _routing_facts(decision: Decision) -> bytes:
    pairs = (
        ("tierwise.requested", decision.requested),
        ("tierwise.plan", [tier.model for tier in decision.plan.tiers]),
        ("tierwise.candidates", len(decision.candidates)),
        ("tierwise.router", decision.router or None),
        ("tierwise.reason", decision.reason),
    )
    return text(5, "route") + number(6, _INTERNAL) + attributes(_ATTRIBUTE, pairs)


def _span(
    trace: bytes,
    span: bytes,
    parent: bytes | None,
    began: float,
    ended: float,
    facts: bytes,
    flags: bytes,
) -> bytes:
    """One span; `facts` are its name, kind, attributes and status, times are Unix times."""
    start = int(began * 1e9)
    head = _HEAD(
        0x0A, 16, trace, 0x12, 8, span, 0x39, start, 0x41, max(start, int(ended * 1e9))
    )  # fmt: skip
    above = b"" if parent is None else _PARENT(0x22, 8, parent)
    body = b"%b%b%b%b" % (head, above, facts, flags)
    return b"\x12%b%b" % (varint(len(body)), body)


def _new() -> bytes:
    return bytes.fromhex(new_span())


def _error(record: Record) -> str | None:
    """The class of what went wrong; never the words, in which a prompt may be quoted."""
    if record.status == "ok":
        return None
    if record.status == "cancelled":
        return "cancelled"
    head = (record.error or "").partition(":")[0]
    if head.isidentifier() and head != record.deployment:
        return head
    return record.attempts[-1].outcome if record.attempts else "_OTHER"
