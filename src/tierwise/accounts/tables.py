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
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    text,
)

from tierwise.storage.metadata import metadata

_LIVE = text("ended_at IS NULL")


def _unique_while_live(name: str, *columns: str) -> Index:
    return Index(name, *columns, unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE)


organisations = Table(
    "organisations",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("created_at", Float(53), nullable=False),
    Column("ended_at", Float(53)),
    _unique_while_live("organisations_by_name", "name"),
)

teams = Table(
    "teams",
    metadata,
    Column("id", String, primary_key=True),
    Column("org", String, ForeignKey("organisations.id"), nullable=False),
    Column("name", String, nullable=False),
    Column("created_at", Float(53), nullable=False),
    Column("ended_at", Float(53)),
    _unique_while_live("teams_by_name", "org", "name"),
)

users = Table(
    "users",
    metadata,
    Column("id", String, primary_key=True),
    Column("org", String, ForeignKey("organisations.id"), nullable=False),
    Column("name", String, nullable=False),
    Column("role", String, nullable=False),
    Column("team", String, ForeignKey("teams.id")),
    Column("created_at", Float(53), nullable=False),
    Column("ended_at", Float(53)),
    _unique_while_live("users_by_name", "org", "name"),
)

keys = Table(
    "keys",
    metadata,
    Column("id", String, primary_key=True),
    Column("org", String, ForeignKey("organisations.id"), nullable=False, index=True),
    Column("name", String, nullable=False),
    Column("team", String, ForeignKey("teams.id")),
    Column("user", String, ForeignKey("users.id")),
    Column("role", String, nullable=False),
    Column("gateway", Boolean, nullable=False),
    Column("passthrough", Boolean, nullable=False),
    Column("prefix", String, nullable=False),
    Column("models", JSON, nullable=False),
    Column("policies", JSON, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("priority", String),
    Column("rpm", Float(53)),
    Column("tpm", Float(53)),
    Column("concurrency", Integer),
    Column("expires_at", Float(53)),
    Column("revoked_at", Float(53)),
    Column("created_at", Float(53), nullable=False),
)

key_secrets = Table(
    "key_secrets",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("key", String, ForeignKey("keys.id"), nullable=False, index=True),
    Column("prefix", String, nullable=False),
    Column("created_at", Float(53), nullable=False),
    Column("expires_at", Float(53)),
)
"""Several of one key live side by side while it is rotated."""

budgets = Table(
    "budgets",
    metadata,
    Column("id", String, primary_key=True),
    Column("org", String, ForeignKey("organisations.id"), nullable=False, index=True),
    Column("scope", String, nullable=False),
    Column("owner", String, nullable=False),
    Column("period", String, nullable=False),
    Column("soft_usd", Float(53)),
    Column("hard_usd", Float(53)),
    Column("created_at", Float(53), nullable=False),
    Index("budgets_by_owner", "scope", "owner", "period", unique=True),
)

audit = Table(
    "account_audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", Float(53), nullable=False),
    Column("org", String, index=True),
    Column("actor", String, nullable=False),
    Column("action", String, nullable=False),
    Column("target", String, nullable=False, index=True),
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

ALL = (organisations, teams, users, keys, key_secrets, budgets, audit, generation)
