"""The tables of accounts.

Names are unique among those of an organisation that have not ended. `account_audit.id` counts up
by one with every administrative act, since each takes the lock on the one row of
`account_generation`: so it is also the number by which directories see that something has changed.
Lists are JSON, times Unix seconds, money USD.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)

from tierwise.storage.metadata import metadata

_LIVE = text("ended_at IS NULL")


def _unique_while_live(name: str, *columns: str) -> Index:
    return Index(name, *columns, unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE)


organisations = Table(
    "organisations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("ended_at", Double),
    _unique_while_live("organisations_by_name", "name"),
)

teams = Table(
    "teams",
    metadata,
    Column("id", Text, primary_key=True),
    Column("org", Text, ForeignKey("organisations.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("ended_at", Double),
    _unique_while_live("teams_by_name", "org", "name"),
)

users = Table(
    "users",
    metadata,
    Column("id", Text, primary_key=True),
    Column("org", Text, ForeignKey("organisations.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("team", Text, ForeignKey("teams.id")),
    Column("created_at", Double, nullable=False),
    Column("ended_at", Double),
    _unique_while_live("users_by_name", "org", "name"),
)

keys = Table(
    "keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("org", Text, ForeignKey("organisations.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("team", Text, ForeignKey("teams.id")),
    Column("user", Text, ForeignKey("users.id")),
    Column("role", Text, nullable=False),
    Column("gateway", Boolean, nullable=False),
    Column("passthrough", Boolean, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("models", JSON, nullable=False),
    Column("policies", JSON, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("priority", Text),
    Column("rpm", Double),
    Column("tpm", Double),
    Column("concurrency", Integer),
    Column("expires_at", Double),
    Column("revoked_at", Double),
    Column("created_at", Double, nullable=False),
)

key_secrets = Table(
    "key_secrets",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("key", Text, ForeignKey("keys.id"), nullable=False, index=True),
    Column("prefix", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
)
"""Several of one key live side by side while it is rotated."""

budgets = Table(
    "budgets",
    metadata,
    Column("id", Text, primary_key=True),
    Column("org", Text, ForeignKey("organisations.id"), nullable=False, index=True),
    Column("scope", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("period", Text, nullable=False),
    Column("soft_usd", Double),
    Column("hard_usd", Double),
    Column("created_at", Double, nullable=False),
    Index("budgets_by_owner", "scope", "owner", "period", unique=True),
)

audit = Table(
    "account_audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("org", Text, index=True),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False, index=True),
    Column("before", JSON),
    Column("after", JSON),
)

generation = Table(
    "account_generation",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("value", Integer, nullable=False),
)
"""One row, id 1."""
