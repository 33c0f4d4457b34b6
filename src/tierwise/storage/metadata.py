"""The tables of the database, as SQLAlchemy has them.

Packages define their own tables on `metadata`, in a module `tables`, and `migrations/` creates
them. Nothing that a plain `tierwise serve` on SQLite runs imports this: SQLAlchemy takes a quarter
of a second and 27 MB.
"""

from __future__ import annotations

from sqlalchemy import MetaData

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_by_%(column_0_N_name)s",
        "uq": "%(table_name)s_unique_%(column_0_N_name)s",
        "fk": "%(table_name)s_%(column_0_N_name)s",
        "pk": "%(table_name)s_pk",
    }
)
