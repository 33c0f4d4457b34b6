"""Embeddings of OpenAI and all that answer alike: the caller's own bytes pass through.

What sets a provider apart stands in its preset as quirks:

- `output-dimension`: calls `dimensions` `output_dimension`, and refuses `user` (Mistral, Voyage).
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from tierwise.errors import Unsatisfiable, UpstreamError
from tierwise.providers.base import load_adapter
from tierwise.providers.http import HttpRequest
from tierwise.providers.reading import unreadable_answer
from tierwise.types import Deployment, Task
from tierwise.wire.embeddings import Embeddings, EmbeddingsAsked, read_reply
from tierwise.wire.openai_chat import json_string, with_fields
from tierwise.wire.unreadable import UNREADABLE

_ANSWERS = "/chat/completions"


class OpenAIEmbeddings:
    """Asks one deployment with `POST {base_url}/embeddings`, whichever of the family it is."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self._native = load_adapter(deployment.dialect)(deployment)
        # Whoever is asked for answers knows where, and how to prove who asks; this is next door.
        call = self._native.request(Task(body=b"{}", model="", messages=[]))
        self._call = replace(call, url=call.url.replace(_ANSWERS, "/embeddings"))

    def requests(self, asked: EmbeddingsAsked) -> list[HttpRequest]:
        """The caller's own bytes, with only the fields changed that must be.

        Raises:
            Unsatisfiable: a client of another dialect asks what OpenAI's has no word for.
        """
        deployment = self.deployment
        if asked.dialect != "openai" and asked.own:
            name = next(iter(asked.own))
            raise Unsatisfiable(
                f"`{name}` cannot be said to {deployment.provider!r}, which takes texts as they "
                "are. Leave it out.",
                param=name,
            )
        changes: dict[str, bytes | None] = {}
        if asked.model != deployment.upstream_model:
            changes["model"] = json_string(deployment.upstream_model)
        if "output-dimension" in deployment.quirks:
            changes.update(_with_output_dimension(asked))
        body = with_fields(asked.body, changes) if changes else asked.body
        return [replace(self._call, body=body)]

    def reply(
        self,
        body: bytes,
        headers: Mapping[str, str],  # noqa: ARG002 - the protocol's
        asked: EmbeddingsAsked,
    ) -> Embeddings:
        """The provider's own answer; raises `ServerFailed` if it has no vectors."""
        try:
            return read_reply(body, asked)
        except UNREADABLE as error:
            if b'"error"' in body:
                raise self.error(200, {}, body) from None
            raise unreadable_answer(error) from None

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """What a non-200 answer means, without the secrets it may quote."""
        return self._native.error(status, headers, body)


def _with_output_dimension(asked: EmbeddingsAsked) -> dict[str, bytes | None]:
    """The fields that Mistral and Voyage call otherwise or do not know.

    https://docs.mistral.ai/api/endpoint/embeddings, https://docs.voyageai.com/reference/embeddings-api;
    Voyage's `encoding_format` is null or `base64`.
    """
    changes: dict[str, bytes | None] = {}
    if asked.dimensions is not None:
        changes["dimensions"] = None
        changes["output_dimension"] = b"%d" % asked.dimensions
    if asked.user is not None:
        changes["user"] = None
    if not asked.base64 and b'"encoding_format"' in asked.body:
        changes["encoding_format"] = None
    return changes
