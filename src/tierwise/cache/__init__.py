"""Answers that were given before, for requests that ask the same again."""

from tierwise.cache.cache import Cache
from tierwise.cache.kept import Found, Kept
from tierwise.cache.store import InProcess, Store

__all__ = ["Cache", "Found", "InProcess", "Kept", "Store"]
