"""Logins to the dashboard that somebody has ended.

In SQLite the dashboard makes the table itself where there are no accounts.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ended_logins",
        sa.Column("name", sa.LargeBinary, primary_key=True),
        sa.Column("until", sa.Double, nullable=False),
        if_not_exists=True,
    )
    op.create_index("ended_logins_by_until", "ended_logins", ["until"], if_not_exists=True)
