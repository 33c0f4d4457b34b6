"""What guardrails found in requests for no answer, which has no record to stand in.

Version 6 of the ledger's file.
"""

import sqlalchemy as sa
from alembic import op

from tierwise.storage.migrate import reach_sqlite

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if reach_sqlite(op.get_bind(), 6):
        return
    op.add_column("asides", sa.Column("guardrails", sa.Text))
