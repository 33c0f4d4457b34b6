"""Requests for no answer added up by hour and day, so that they can be pruned; answers added up by
whole organisations; whose answers were rated; and when it is whose turn to prune.

Version 7 of the ledger's file.
"""

import sqlalchemy as sa
from alembic import op

from tierwise.storage.migrate import reach_sqlite
from tierwise.storage.sqlite_ledger import OWNERS_OF_FEEDBACK, sums_of_organisations

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if reach_sqlite(op.get_bind(), 7):
        return
    _sums("hourly_asides", "hour")
    _sums(
        "daily_asides", "day", sa.Column("owner", sa.Integer, primary_key=True, autoincrement=False)
    )
    op.create_index("daily_asides_by_owner", "daily_asides", ["owner", "day"])
    op.create_index("asides_by_owner", "asides", ["owner", "at"])
    marks = sa.table("marks", sa.column("name", sa.Text), sa.column("value", sa.BigInteger))
    op.bulk_insert(marks, [{"name": "asides", "value": 0}, {"name": "pruning", "value": 0}])
    op.add_column("feedback", sa.Column("owner", sa.Integer, sa.ForeignKey("owners.id")))
    op.execute(OWNERS_OF_FEEDBACK)
    for statement in sums_of_organisations("CAST(floor(at / 3600) AS BIGINT) * 3600"):
        op.execute(statement)


def _sums(name: str, time: str, *whose: sa.Column[int]) -> None:
    texts = ("kind", "provider", "model", "deployment", "status")
    op.create_table(
        name,
        sa.Column(time, sa.BigInteger, primary_key=True, autoincrement=False),
        *whose,
        *(sa.Column(one, sa.Text, primary_key=True) for one in texts),
        sa.Column("failovers", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("error_kind", sa.Text, primary_key=True),
        sa.Column("requests", sa.BigInteger, nullable=False),
        sa.Column("cost_usd", sa.Double, nullable=False),
        sa.Column("unknown_cost", sa.BigInteger, nullable=False),
        sa.Column("input_tokens", sa.BigInteger, nullable=False),
        sa.Column("output_tokens", sa.BigInteger, nullable=False),
    )
