"""The metrics that `/metrics` has: their names, labels and what they mean."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Kind = Literal["counter", "gauge", "histogram"]
Joined = Literal["sum", "mean", "min", "max"]
"""How the figures of several workers become one."""

SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 300.0)
"""Bounds of histograms of times."""


class Family(Struct, frozen=True):
    """One metric. Prometheus shows a counter as `name_total`."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    joined: Joined = "sum"


def _counter(name: str, help_: str, *labels: str) -> Family:
    return Family(name, "counter", help_, labels)


def _gauge(name: str, help_: str, *labels: str, joined: Joined = "sum") -> Family:
    return Family(name, "gauge", help_, labels, joined)


def _seconds(name: str, help_: str, *labels: str) -> Family:
    return Family(name, "histogram", help_, labels)


ALL = (
    _counter(
        "tierwise_requests",
        "Requests by what was asked for, who answered and how they ended.",
        "policy", "model", "tier", "status",
    ),
    _seconds("tierwise_request_seconds", "From when a request was routed to its end.", "policy"),
    _seconds("tierwise_first_token_seconds", "Until the first token of a stream.", "policy"),
    _counter("tierwise_cost_usd", "USD spent, all attempts billed.", "policy", "model"),
    _counter(
        "tierwise_reference_cost_usd",
        "USD that the reference model would have cost.",
        "policy", "model",
    ),
    _gauge(
        "tierwise_saved_usd", "USD that the reference would have cost beyond it.", "policy", "model"
    ),
    _counter("tierwise_tokens",
             "Tokens of answers that were given out, and of what was embedded.", "model", "type"),
    _counter("tierwise_failovers", "Calls that failed and were made up for.", "policy"),
    _counter("tierwise_escalations", "Answers that gates rejected.", "policy"),
    _counter("tierwise_attempts", "Calls to deployments by outcome.", "deployment", "outcome"),
    _seconds("tierwise_attempt_seconds", "How long calls to a deployment took.", "deployment"),
    _counter("tierwise_verdicts", "Verdicts of gates, by whether the answer passed.",
             "gate", "passed"),
    _counter("tierwise_gate_broken",
             "Verdicts left out: the gate raised, took too long or said what is no verdict.",
             "gate"),
    _counter("tierwise_guardrail",
             "What guardrails did with requests and answers: noted, masked, refused, or broke; and"
             " unseen: what was passed through and they cannot look into.",
             "guardrail", "done"),
    _counter("tierwise_refused",
             "Requests that were at fault themselves, by the code of the error.", "code"),
    _counter("tierwise_budget_refused", "Requests for which a hard budget had no room."),
    _counter("tierwise_cache_hits", "Answers given out of the cache.", "kind"),
    _counter("tierwise_cache_saved_usd", "USD that answers out of the cache did not cost.", "kind"),
    _counter("tierwise_passed_through",
             "Calls that were passed through to a provider, by the status that it gave.",
             "provider", "status"),
    _seconds("tierwise_passed_through_seconds",
             "How long calls that were passed through took, to the end of the answer.", "provider"),
    _counter("tierwise_embeddings",
             "Requests for embeddings by what was asked for and how they ended.",
             "model", "status"),
    _counter("tierwise_token_counts",
             "Requests that only asked how many tokens they would take.", "dialect", "status"),
    _gauge("tierwise_deployment_in_flight", "Calls running now.", "deployment"),
    _gauge("tierwise_deployment_state",
           "Workers that find a deployment in this state: ready, resting, open (its breaker), ...",
           "deployment", "state"),
    _gauge("tierwise_shadow_price",
           "What a request to a model costs all others, in quality; 0 where it has room.",
           "model", joined="mean"),
    _gauge("tierwise_certificate_valid",
           "1 while the certificate of a policy holds, 0 when it is void.",
           "policy", joined="min"),
    _gauge("tierwise_requests_inside", "Requests that are being answered."),
    _gauge("tierwise_requests_waiting", "Requests that wait to be answered."),
    _counter("tierwise_turned_away", "Requests for which there was no room."),
    _counter("tierwise_ledger_written", "Records that are in the ledger."),
    _gauge("tierwise_ledger_pending", "Records waiting to be written."),
    _counter("tierwise_ledger_dropped",
             "Records lost: no room in the queue, or impossible to store."),
    _gauge("tierwise_spans_waiting", "Spans that wait to be sent."),
    _counter("tierwise_spans_sent", "Spans that a collector has taken."),
    _counter("tierwise_spans_dropped", "Spans that none has taken."),
    _counter("tierwise_access_lines_dropped",
             "Lines of the access log lost: nobody read it, or it could not be written."),
    _gauge("tierwise_shared_state_up",
           "1 while Redis is there, 0 while a process goes on by itself.", joined="min"),
    _counter("tierwise_shared_cache",
             "What Redis was asked of the cache (hit, miss, late) or given (kept, left_out).",
             "what"),
    _gauge("tierwise_replicas", "Processes that share their state.", joined="max"),
    _gauge("tierwise_workers", "Processes that serve."),
    _gauge("tierwise_build_info", "1; the labels say what runs.", "version", "python",
           joined="max"),
    _counter("process_cpu_seconds", "CPU time of all workers, in user and kernel mode."),
    _gauge("process_resident_memory_bytes", "Memory of all workers."),
    _gauge("process_open_fds", "Open files of all workers."),
    _gauge("process_start_time_seconds", "When the oldest worker started, a Unix time.",
           joined="min"),
)  # fmt: skip

BY_NAME = {family.name: family for family in ALL}
