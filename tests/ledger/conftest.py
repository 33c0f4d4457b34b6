"""Records to fill a ledger with."""

from __future__ import annotations

from made_records import make_record

__all__ = ["make_record"]
