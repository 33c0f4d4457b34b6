"""Embeddings for the library: what is asked, and the vectors that come of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from tierwise.answer import encoded
from tierwise.execution.embedding import Embedded
from tierwise.wire import embeddings
from tierwise.wire.embeddings import EmbeddingsAsked


class Vectors:
    """The embeddings of texts: iterate over them, in the order of the texts.

    `body` is the JSON that an OpenAI client would have received, and `decision_id` their name in
    the ledger, for `Orchestrator.decision`. `model` and `deployment` say who made them, `usage` how
    many tokens were read for it; `cost_usd` is every attempt's, in USD.
    """

    def __init__(self, embedded: Embedded, decision_id: str) -> None:
        self.decision_id = decision_id
        self.body = embedded.body
        self.model = embedded.model
        self.deployment = embedded.deployment
        self.usage = embedded.usage
        self.cost_usd = embedded.cost_usd

    def json(self) -> dict[str, Any]:
        """`body`, decoded."""
        decoded: dict[str, Any] = msgspec.json.decode(self.body)
        return decoded

    def __iter__(self) -> Iterator[list[float]]:
        for one in self.json()["data"]:
            vector = one["embedding"]
            if isinstance(vector, str):
                raw = msgspec.Raw(msgspec.json.encode(vector))
                vector = msgspec.json.decode(embeddings.encoded(raw, as_base64=False))
            yield vector


def make_asked(
    texts: str | Sequence[str], model: str, params: Mapping[str, Any]
) -> EmbeddingsAsked:
    """What the same request over HTTP would be.

    Raises:
        InvalidRequest: a parameter cannot be used.
    """
    return embeddings.read_request(encoded({"model": model, "input": texts, **params}))
