"""Whose requests for no answer were, so that budgets know of embeddings after a restart.

Version 5 of the ledger's file.
"""

import sqlalchemy as sa
from alembic import op

from tierwise.storage.migrate import reach_sqlite

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if reach_sqlite(op.get_bind(), 5):
        return
    op.add_column("asides", sa.Column("owner", sa.Integer, sa.ForeignKey("owners.id")))
