"""Requests for no answer, whose each request is, and figures added up by hour and day.

Versions 3 and 4 of the ledger's file.
"""

import sqlalchemy as sa
from alembic import op

from tierwise.storage.migrate import reach_sqlite

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if reach_sqlite(op.get_bind(), 4):
        return
    _asides()
    names = ("key", "user", "team", "org", "tags")
    op.create_table(
        "owners",
        sa.Column("id", sa.Integer, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in names),
        sa.UniqueConstraint(*names, name="owners_once"),
    )
    op.add_column("requests", sa.Column("owner", sa.Integer, sa.ForeignKey("owners.id")))
    op.create_index("requests_by_shape", "requests", ["shape", "at"])
    op.create_index("requests_by_owner", "requests", ["owner", "at"])
    op.create_index("requests_by_bundle", "requests", ["bundle"])
    op.add_column("feedback", sa.Column("asked_at", sa.Double))
    op.add_column("feedback", sa.Column("shape", sa.Integer, sa.ForeignKey("shapes.id")))
    op.add_column("feedback", sa.Column("checks", sa.Integer, sa.ForeignKey("checks.id")))
    op.execute("ALTER TABLE attempts ADD COLUMN seq BIGSERIAL CONSTRAINT attempts_pk PRIMARY KEY")
    _rollup("hourly", "hour")
    _rollup("daily", "day")
    op.create_index("daily_by_owner", "daily", ["owner", "day"])
    op.create_table(
        "hourly_calls",
        sa.Column("hour", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("deployment", sa.Text, primary_key=True),
        sa.Column("outcome", sa.Text, primary_key=True),
        sa.Column("gate", sa.Text, primary_key=True),
        sa.Column("checks", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("calls", sa.BigInteger, nullable=False),
        sa.Column("cost_usd", sa.Double, nullable=False),
    )
    op.create_table(
        "hourly_times",
        sa.Column("hour", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("measure", sa.Text, primary_key=True),
        sa.Column("bucket", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("requests", sa.BigInteger, nullable=False),
    )
    marks = op.create_table(
        "marks",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    begun = ("requests", "attempts", "feedback", "pruned")
    op.bulk_insert(marks, [{"name": name, "value": 0} for name in begun])
    op.create_table(
        "writers",
        sa.Column("writer", sa.Text, primary_key=True),
        sa.Column("batch", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
    )


def _asides() -> None:
    name = sa.Text(collation="C")
    op.create_table(
        "asides",
        sa.Column("seq", sa.BigInteger, primary_key=True),
        sa.Column("id", name, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        *(sa.Column(one, sa.Text, nullable=False) for one in ("kind", "asked", "status")),
        sa.Column("latency_s", sa.Double, nullable=False),
        *(sa.Column(one, sa.Text) for one in ("caller", "provider", "model", "deployment")),
        sa.Column("code", sa.Integer),
        sa.Column("cost_usd", sa.Double),
        sa.Column("input_tokens", sa.BigInteger),
        sa.Column("output_tokens", sa.BigInteger),
        sa.Column("failovers", sa.Integer, nullable=False),
        sa.Column("error_kind", sa.Text, nullable=False),
        sa.Column("error", sa.Text),
    )
    op.create_index("asides_by_id", "asides", ["id"])
    op.create_index("asides_by_time", "asides", ["at"])


def _rollup(name: str, time: str) -> None:
    keys = ("shape", "owner", "checks")
    money = (
        *("cost_usd", "cost_squares", "reference_cost_usd", "reference_squares"),
        *("saving_squares", "wasted_usd"),
    )
    tokens = ("input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens")
    op.create_table(
        name,
        sa.Column("part", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column(time, sa.BigInteger, primary_key=True, autoincrement=False),
        *(sa.Column(key, sa.Integer, primary_key=True, autoincrement=False) for key in keys),
        sa.Column("requests", sa.BigInteger, nullable=False),
        *(sa.Column(one, sa.Double, nullable=False) for one in money),
        *(sa.Column(one, sa.BigInteger, nullable=False) for one in tokens),
        sa.Column("latency_s", sa.Double, nullable=False),
        sa.Column("latency_squares", sa.Double, nullable=False),
    )
