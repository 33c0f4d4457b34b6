"""Speaking to one model API: one file for each provider dialect."""

from tierwise.providers.base import (
    Adapter,
    Prefills,
    Reply,
    StreamReader,
    TellsLogprobs,
    lacks_of,
    load_adapter,
)
from tierwise.providers.http import HttpRequest, Transport

__all__ = [
    "Adapter",
    "HttpRequest",
    "Prefills",
    "Reply",
    "StreamReader",
    "TellsLogprobs",
    "Transport",
    "lacks_of",
    "load_adapter",
]
