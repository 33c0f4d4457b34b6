"""Organisations, teams, users, keys, budgets, and the log of what was done to them."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_LIVE = sa.text("ended_at IS NULL")


def upgrade() -> None:
    organisations = op.create_table(
        "organisations",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("ended_at", sa.Double),
    )
    _unique_while_live("organisations", "name")
    op.create_table(
        "teams",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("org", sa.Text, sa.ForeignKey("organisations.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("ended_at", sa.Double),
    )
    _unique_while_live("teams", "org", "name")
    op.create_table(
        "users",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("org", sa.Text, sa.ForeignKey("organisations.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("team", sa.Text, sa.ForeignKey("teams.id")),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("ended_at", sa.Double),
    )
    _unique_while_live("users", "org", "name")
    _keys()
    op.create_table(
        "budgets",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("org", sa.Text, sa.ForeignKey("organisations.id"), nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("period", sa.Text, nullable=False),
        sa.Column("soft_usd", sa.Double),
        sa.Column("hard_usd", sa.Double),
        sa.Column("created_at", sa.Double, nullable=False),
    )
    op.create_index("budgets_by_org", "budgets", ["org"])
    op.create_index("budgets_by_owner", "budgets", ["scope", "owner", "period"], unique=True)
    op.create_table(
        "account_audit",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("org", sa.Text),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("before", sa.JSON),
        sa.Column("after", sa.JSON),
    )
    op.create_index("account_audit_by_org", "account_audit", ["org"])
    op.create_index("account_audit_by_target", "account_audit", ["target"])
    generation = op.create_table(
        "account_generation",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("value", sa.Integer, nullable=False),
    )
    op.bulk_insert(generation, [{"id": 1, "value": 0}])
    first = {"id": "default", "name": "default", "created_at": time.time()}
    op.bulk_insert(organisations, [first])


def _keys() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("org", sa.Text, sa.ForeignKey("organisations.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("team", sa.Text, sa.ForeignKey("teams.id")),
        sa.Column("user", sa.Text, sa.ForeignKey("users.id")),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("gateway", sa.Boolean, nullable=False),
        sa.Column("passthrough", sa.Boolean, nullable=False),
        sa.Column("prefix", sa.Text, nullable=False),
        sa.Column("models", sa.JSON, nullable=False),
        sa.Column("policies", sa.JSON, nullable=False),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("priority", sa.Text),
        sa.Column("rpm", sa.Double),
        sa.Column("tpm", sa.Double),
        sa.Column("concurrency", sa.Integer),
        sa.Column("expires_at", sa.Double),
        sa.Column("revoked_at", sa.Double),
        sa.Column("created_at", sa.Double, nullable=False),
    )
    op.create_index("keys_by_org", "keys", ["org"])
    op.create_table(
        "key_secrets",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("key", sa.Text, sa.ForeignKey("keys.id"), nullable=False),
        sa.Column("prefix", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double),
    )
    op.create_index("key_secrets_by_key", "key_secrets", ["key"])


def _unique_while_live(table: str, *columns: str) -> None:
    op.create_index(
        f"{table}_by_name",
        table,
        list(columns),
        unique=True,
        sqlite_where=_LIVE,
        postgresql_where=_LIVE,
    )
