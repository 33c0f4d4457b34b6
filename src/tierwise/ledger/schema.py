"""The columns of the ledger that are written, in the order in which both stores write them.

For what the tables are see `tables`, for how they come about `storage.migrations`.
"""

from __future__ import annotations

SHAPE_COLUMNS = (
    "status",
    "policy",
    "model",
    "deployment",
    "tier",
    "kind",
    "domain",
    "small",
    "plain",
    "escalated",
    "failovers",
    "error",
)
REQUEST_COLUMNS = (
    "id",
    "at",
    "cost_usd",
    "reference_cost_usd",
    "wasted_usd",
    "latency_s",
    "ttft_s",
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "shape",
    "bundle",
    "slot",
    "checks",
    "owner",
)
ATTEMPT_COLUMNS = (
    "request_id",
    "idx",
    "at",
    "deployment",
    "model",
    "tier",
    "outcome",
    "status",
    "cost_usd",
    "input_tokens",
    "output_tokens",
    "latency_s",
    "ttft_s",
    "error",
    "gate",
    "checks",
)
FEEDBACK_COLUMNS = ("request_id", "at", "source", "score", "label", "comment", "caller")
OWNER_COLUMNS = ("key", "user", "team", "org", "tags")
ASIDE_COLUMNS = (
    "id",
    "at",
    "kind",
    "asked",
    "status",
    "latency_s",
    "caller",
    "provider",
    "model",
    "deployment",
    "code",
    "cost_usd",
    "input_tokens",
    "output_tokens",
    "failovers",
    "error_kind",
    "error",
    "guardrails",
)
OWNED_ASIDE_COLUMNS = (*ASIDE_COLUMNS, "owner")
ASIDE_LABELS = (
    "kind",
    "provider",
    "model",
    "deployment",
    "status",
    "failovers",
    "error_kind",
)
"""By what sums of `asides` are kept apart."""
