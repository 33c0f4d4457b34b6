"""The ledger as it was first released: versions 1 and 2 of its file."""

import sqlalchemy as sa
from alembic import op

from tierwise.storage.migrate import reach_sqlite

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NAME = sa.Text(collation="C")


def upgrade() -> None:
    if reach_sqlite(op.get_bind(), 2):
        return
    _labels()
    op.create_table(
        "bundles",
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("codec", sa.Text, nullable=False),
        sa.Column("records", sa.LargeBinary, nullable=False),
    )
    _requests()
    _attempts()
    op.create_table(
        "feedback",
        sa.Column("seq", sa.BigInteger, primary_key=True),
        sa.Column("request_id", _NAME, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("score", sa.Double, nullable=False),
        sa.Column("label", sa.Text),
        sa.Column("comment", sa.Text),
        sa.Column("caller", sa.Text),
    )
    op.create_index("feedback_by_request", "feedback", ["request_id"])


def _labels() -> None:
    texts = ("status", "policy", "model", "deployment", "kind", "domain", "error")
    numbers = ("tier", "small", "plain", "escalated", "failovers")
    op.create_table(
        "shapes",
        sa.Column("id", sa.Integer, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in texts),
        *(sa.Column(name, sa.Integer, nullable=False) for name in numbers),
        sa.UniqueConstraint(
            *("status", "policy", "model", "deployment", "tier", "kind", "domain"),
            *("small", "plain", "escalated", "failovers", "error"),
            name="shapes_once",
        ),
    )
    op.create_table(
        "checks",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("said", sa.Text, nullable=False),
        sa.UniqueConstraint("said", name="checks_once"),
    )


def _requests() -> None:
    money = ("cost_usd", "reference_cost_usd", "wasted_usd", "latency_s")
    tokens = ("input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens")
    op.create_table(
        "requests",
        sa.Column("seq", sa.BigInteger, primary_key=True),
        sa.Column("id", _NAME, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        *(sa.Column(name, sa.Double, nullable=False) for name in money),
        sa.Column("ttft_s", sa.Double),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in tokens),
        sa.Column("shape", sa.Integer, sa.ForeignKey("shapes.id"), nullable=False),
        sa.Column("bundle", sa.BigInteger, sa.ForeignKey("bundles.id"), nullable=False),
        sa.Column("slot", sa.Integer, nullable=False),
        sa.Column("checks", sa.Integer, sa.ForeignKey("checks.id")),
    )
    op.create_index("requests_by_id", "requests", ["id"])
    op.create_index("requests_by_time", "requests", ["at"])


def _attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("request_id", _NAME, nullable=False),
        sa.Column("idx", sa.Integer, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("deployment", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("tier", sa.Integer, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("cost_usd", sa.Double, nullable=False),
        sa.Column("input_tokens", sa.BigInteger, nullable=False),
        sa.Column("output_tokens", sa.BigInteger, nullable=False),
        sa.Column("latency_s", sa.Double, nullable=False),
        sa.Column("ttft_s", sa.Double),
        sa.Column("error", sa.Text),
        sa.Column("gate", sa.Text),
        sa.Column("checks", sa.Integer, sa.ForeignKey("checks.id")),
    )
    op.create_index("attempts_by_time", "attempts", ["at"])
