"""What is spoiled: valid requests, answers, streams and errors of every dialect.

They have about everything that a dialect knows, since what is not there cannot be spoiled.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from converse import frame

Body = dict[str, Any]

_FOLDER = Path(__file__).parent / "seeds"
_NAMED = frozenset({"anthropic", "openai_responses", "cohere"})
"""Those whose events have a name beside their data."""


def _read(name: str) -> Any:
    return json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))


_REQUESTS: dict[str, list[Body]] = _read("requests")
EMBEDDINGS = _REQUESTS.pop("embeddings")
GOOGLE_EMBEDDINGS = _REQUESTS.pop("google_embeddings")
FEEDBACK = _REQUESTS.pop("feedback")
CLIENTS = _REQUESTS
"""Requests, by the dialect of the client."""
CLIENTS_ON_VERTEX = [
    {name: value for name, value in one.items() if name not in ("model", "stream")}
    | {"anthropic_version": "vertex-2023-10-16", "anthropic_beta": ["a-trial"]}
    for one in CLIENTS["anthropic"]
]
"""Those of Anthropic's Messages as Vertex AI takes them."""

ANSWERS: dict[str, list[Body]] = _read("answers")
"""By the adapter that reads them."""
ANSWERS["mistral"] = ANSWERS["openai_compatible"]
STREAMS: dict[str, list[list[Any]]] = _read("streams")
"""Likewise: what each event says. A text is no JSON but stands there as it is."""
STREAMS["mistral"] = STREAMS["openai_compatible"]
VECTORS: dict[str, list[Body]] = _read("vectors")
"""Answers to requests for embeddings, likewise."""
ERRORS: list[Body] = _read("errors")


def event_of(adapter: str, event: Any, said: bytes | None = None) -> bytes:
    """An event as an adapter's provider sends it; with `said` in place of its own JSON."""
    if adapter == "bedrock":
        ((kind, value),) = event.items()
        return frame(kind, _encoded(value) if said is None else said)
    name = event.get("type", "") if isinstance(event, dict) else ""
    head = f"event: {name}\n".encode() if adapter in _NAMED else b""
    end = b"\r\n\r\n" if adapter == "gemini" else b"\n\n"
    if isinstance(event, str) and event.startswith(":"):
        return event.encode() + end
    data = event.encode() if isinstance(event, str) else _encoded(event)
    return head + b"data: " + (data if said is None else said) + end


def stream_of(adapter: str, events: Sequence[Any]) -> bytes:
    """A whole stream."""
    return b"".join(event_of(adapter, event) for event in events)


def _encoded(value: Any) -> bytes:
    return json.dumps(value).encode()
