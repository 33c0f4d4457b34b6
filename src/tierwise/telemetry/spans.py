"""The spans of a request, made from its record when all is over.

Nothing of this happens while the request is on its way: the record says when what began and how
long it took. The request is the root, with what was asked and what came of it; below it are its
analysis and its routing, unless the caller has named a model; each call (a client's span, by the
conventions for generative AI) and, below the call, each gate that judged its answer.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from tierwise.telemetry.content import messages_of
from tierwise.telemetry.context import new_span_bytes
from tierwise.telemetry.places import Place, Places, error_of
from tierwise.telemetry.protobuf import (
    DOUBLE,
    attributes,
    count_attribute,
    double_attribute,
    double_head,
    message,
    number,
    text,
    text_attribute,
    varint,
)
from tierwise.types import Attempt, Decision, Record, Trace, Verdict

_ATTRIBUTE = 9
"""Of `Span`: the field that holds attributes."""
_INTERNAL, _SERVER, _CLIENT = 1, 2, 3
_FAILED = message(15, number(3, 2))
_HEAD = struct.Struct("<BB16sBB8sBQBQ").pack
_PARENT = struct.Struct("<BB8s").pack
# Field 16: sampled, and that it is known whether the parent is of another service, or that it is.
LOCAL = b"\x85\x01" + struct.pack("<I", 0x101)
REMOTE = b"\x85\x01" + struct.pack("<I", 0x301)
_NS = 1e9
_MOST_KEPT = 4_096
"""Beginnings of spans that are kept; a set-up has fewer by far."""
_DECISION = "tierwise.decision.id"
_COST = double_head(_ATTRIBUTE, "tierwise.cost_usd")
_REFERENCE = double_head(_ATTRIBUTE, "tierwise.reference_cost_usd")
_INPUT = "gen_ai.usage.input_tokens"
_OUTPUT = "gen_ai.usage.output_tokens"
_CACHE_READ = "gen_ai.usage.cache_read.input_tokens"
_CACHE_WRITTEN = "gen_ai.usage.cache_write.input_tokens"
_REASONING = "gen_ai.usage.reasoning.output_tokens"
_TO_FIRST = "gen_ai.response.time_to_first_chunk"


class Spans:
    """Writes the spans of records.

    Args:
        content: whether prompts and answers are told, where a record has them.
    """

    def __init__(self, places: Places, *, content: bool = False) -> None:
        self.places = places
        self._content = content
        self._roots: dict[Any, bytes] = {}
        self._attempts: dict[Any, bytes] = {}
        self._others: dict[Any, bytes] = {}

    def of(self, record: Record, trace: Trace) -> list[bytes]:
        """All of a request's, each as a field of `ScopeSpans`."""
        decision = record.decision
        at = int(decision.at * _NS)
        analysed = at - int((record.analysis_s or 0.0) * _NS)
        routed = at + int((record.routing_s or 0.0) * _NS)
        arrived = analysed - int((record.waited_s or 0.0) * _NS)
        ids, root = bytes.fromhex(trace.id), bytes.fromhex(trace.span)
        above = _PARENT(0x22, 8, root)
        ended = routed + int(record.latency_s * _NS)
        found = [self._root(record, trace, ids, root, arrived, ended)]
        if decision.policy is not None:  # else the caller has named a model: nothing to choose
            facts = self._analysis(record)
            found.append(_span(ids, new_span_bytes(), above, analysed, at, facts, LOCAL))
            facts = _routing_facts(decision)
            found.append(_span(ids, new_span_bytes(), above, at, routed, facts, LOCAL))
        for attempt in record.attempts:
            self._calls(found, record, attempt, ids, above, routed)
        return found

    def _root(
        self, record: Record, trace: Trace, ids: bytes, root: bytes, began: int, ended: int
    ) -> bytes:
        decision, usage = record.decision, record.usage
        error = None if record.status == "ok" else _error(record)
        key = (
            decision.requested, record.model, record.deployment, record.tier, record.stream,
            record.caller, record.owner, record.status, error, record.failovers,
            len(record.attempts), decision.reference,
        )  # fmt: skip
        known = self._roots.get(key)
        if known is None:
            known = self._kept(self._roots, key, self._root_facts(record))
        facts = [
            known,
            text_attribute(_ATTRIBUTE, _DECISION, decision.id),
            _read_and_said(usage.input_tokens, usage.output_tokens),
            _COST,
            DOUBLE(record.cost_usd),
            _REFERENCE,
            DOUBLE(record.reference_cost_usd),
        ]
        if record.stream and record.ttft_s is not None:
            facts.append(double_attribute(_ATTRIBUTE, _TO_FIRST, record.ttft_s))
        if record.session is not None:
            facts.append(text_attribute(_ATTRIBUTE, "gen_ai.conversation.id", record.session))
        if self._content:
            facts.append(attributes(_ATTRIBUTE, messages_of(record)))
        if trace.state:
            facts.append(text(3, trace.state))
        if trace.parent is None:
            return _span(ids, root, b"", began, ended, facts, LOCAL)
        parent = _PARENT(0x22, 8, bytes.fromhex(trace.parent))
        return _span(ids, root, parent, began, ended, facts, REMOTE)

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
            ("gen_ai.request.stream", record.stream or None),
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

    def _analysis(self, record: Record) -> list[bytes]:
        profile = record.decision.profile
        key = ("analyse", profile.kind, profile.domain, profile.language)
        known = self._others.get(key)
        if known is None:
            pairs = (
                ("tierwise.kind", profile.kind),
                ("tierwise.domain", profile.domain),
                ("tierwise.language", profile.language or None),
            )
            facts = text(5, "analyse") + number(6, _INTERNAL) + attributes(_ATTRIBUTE, pairs)
            known = self._kept(self._others, key, facts)
        return [
            known,
            double_attribute(_ATTRIBUTE, "tierwise.difficulty", profile.difficulty),
            count_attribute(_ATTRIBUTE, "tierwise.input_tokens", profile.input_tokens),
            count_attribute(_ATTRIBUTE, "tierwise.expected_output_tokens", profile.output_tokens),
        ]

    def _calls(
        self,
        found: list[bytes],
        record: Record,
        attempt: Attempt,
        ids: bytes,
        above: bytes,
        routed: int,
    ) -> None:
        """Appends the span of a call, and those of the gates that judged its answer."""
        span = new_span_bytes() if attempt.span is None else bytes.fromhex(attempt.span)
        began = routed + int((attempt.began_s or 0.0) * _NS)
        ended = began + int(attempt.latency_s * _NS)
        usage = attempt.usage
        key = (
            attempt.deployment, attempt.model, attempt.tier, attempt.outcome, attempt.status,
            attempt.gate, record.stream, error_of(attempt), attempt.estimated, usage is None,
        )  # fmt: skip
        known = self._attempts.get(key)
        if known is None:
            known = self._kept(self._attempts, key, self._call_facts(record, attempt))
        facts = [known, _COST, DOUBLE(attempt.cost_usd)]
        if usage is not None:
            facts.append(_read_and_said(usage.input_tokens, usage.output_tokens))
            if usage.cached_input_tokens:
                read = count_attribute(_ATTRIBUTE, _CACHE_READ, usage.cached_input_tokens)
                facts.append(read)
            if usage.cache_write_tokens:
                wrote = count_attribute(_ATTRIBUTE, _CACHE_WRITTEN, usage.cache_write_tokens)
                facts.append(wrote)
            if usage.reasoning_tokens:
                facts.append(count_attribute(_ATTRIBUTE, _REASONING, usage.reasoning_tokens))
        if attempt.ttft_s is not None:
            facts.append(double_attribute(_ATTRIBUTE, _TO_FIRST, attempt.ttft_s))
        if attempt.p is not None:
            facts.append(double_attribute(_ATTRIBUTE, "tierwise.p_acceptable", attempt.p))
        found.append(_span(ids, span, above, began, ended, facts, LOCAL))
        if not attempt.verdicts:
            return
        call = _PARENT(0x22, 8, span)
        for verdict in attempt.verdicts:
            asked = ended + int((verdict.after_s or 0.0) * _NS)
            over = asked + int((verdict.took_s or 0.0) * _NS)
            facts = self._gate(verdict)
            found.append(_span(ids, new_span_bytes(), call, asked, over, facts, LOCAL))

    def _call_facts(self, record: Record, attempt: Attempt) -> bytes:
        place: Place = self.places.of(attempt)
        error = error_of(attempt)
        pairs = (
            ("gen_ai.operation.name", place.operation),
            ("gen_ai.provider.name", place.provider),
            ("gen_ai.request.model", place.model),
            ("gen_ai.response.model", attempt.model if attempt.usage is not None else None),
            ("gen_ai.request.stream", (record.stream and attempt.outcome != "probe") or None),
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

    def _gate(self, verdict: Verdict) -> list[bytes]:
        """What a gate says. Its reason may quote the answer, so it is content."""
        key = ("gate", verdict.gate)
        known = self._others.get(key)
        if known is None:
            head = text(5, f"gate {verdict.gate}") + number(6, _INTERNAL)
            name = (("gen_ai.evaluation.name", verdict.gate),)
            known = self._kept(self._others, key, head + attributes(_ATTRIBUTE, name))
        score = double_attribute(_ATTRIBUTE, "gen_ai.evaluation.score.value", verdict.p)
        if self._content and verdict.reason:
            said = (("gen_ai.evaluation.explanation", verdict.reason),)
            return [known, score, attributes(_ATTRIBUTE, said)]
        return [known, score]

    def _kept(self, kept: dict[Any, bytes], key: object, facts: bytes) -> bytes:
        """These, and keeps them for the next span that begins so."""
        if len(kept) < _MOST_KEPT:
            kept[key] = facts
        return facts


@lru_cache(maxsize=_MOST_KEPT)
def _read_and_said(read: int, said: int) -> bytes:
    """How many tokens a prompt and its answer had: of a request, and mostly of its one call too."""
    inputs = count_attribute(_ATTRIBUTE, _INPUT, read)
    return inputs + count_attribute(_ATTRIBUTE, _OUTPUT, said)


def _routing_facts(decision: Decision) -> list[bytes]:
    tiers = tuple(tier.model for tier in decision.plan.tiers)
    return [
        _plan_facts(decision.requested, tiers, len(decision.candidates), decision.router),
        text_attribute(_ATTRIBUTE, "tierwise.reason", decision.reason),
    ]


@lru_cache(maxsize=_MOST_KEPT)
def _plan_facts(requested: str, tiers: tuple[str, ...], candidates: int, router: str) -> bytes:
    pairs = (
        ("tierwise.requested", requested),
        ("tierwise.plan", tiers),
        ("tierwise.candidates", candidates),
        ("tierwise.router", router or None),
    )
    return text(5, "route") + number(6, _INTERNAL) + attributes(_ATTRIBUTE, pairs)


def _span(
    trace: bytes,
    span: bytes,
    above: bytes,
    began: int,
    ended: int,
    facts: Iterable[bytes],
    flags: bytes,
) -> bytes:
    """One span, as a field of `ScopeSpans`.

    Args:
        above: the field that names its parent.
        facts: its name, kind, attributes and status.
        began, ended: Unix times in nanoseconds.
    """
    head = _HEAD(0x0A, 16, trace, 0x12, 8, span, 0x39, began, 0x41, ended)
    body = b"".join((head, above, *facts, flags))
    return b"".join((b"\x12", varint(len(body)), body))


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
