"""The table of logins that somebody has ended.

`name` is a digest of a login's mark; after `until`, a Unix time, it would be over anyhow.
"""

from __future__ import annotations

from sqlalchemy import Column, Double, LargeBinary, Table

from tierwise.storage.metadata import metadata

ended_logins = Table(
    "ended_logins",
    metadata,
    Column("name", LargeBinary, primary_key=True),
    Column("until", Double, nullable=False, index=True),
)
