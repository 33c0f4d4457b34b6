"""The models and policies that a request may name, as each dialect lists them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from tierwise.config import Setup
from tierwise.errors import InvalidRequest
from tierwise.state.health import Health
from tierwise.types import Model
from tierwise.wire.pages import page_size

GENERATE, STREAM, COUNT = "generateContent", "streamGenerateContent", "countTokens"
EMBED, EMBED_MANY = "embedContent", "batchEmbedContents"
"""What Gemini's clients may ask of a model."""
_CREATED = "1970-01-01T00:00:00Z"
"""Anthropic's clients want a time; that of models is not known, and policies have none."""
_FAMILY, _GOOGLE = "models/", 50
_Entry = TypeVar("_Entry")


class Names(Protocol):
    """Who knows models by name: a router."""

    def model_named(self, name: str) -> tuple[str, str | None]:
        """The model and, where it names one, the deployment's id; raises `UnknownModel`."""


class Offers(Protocol):
    """What has models: an orchestrator."""

    @property
    def setup(self) -> Setup: ...

    @property
    def health(self) -> Health: ...

    @property
    def router(self) -> Names: ...


class Listing:
    """Lists what is configured, and one of it that may be named as in a request."""

    def __init__(self, offers: Offers) -> None:
        self._offers = offers

    def openai(self) -> dict[str, Any]:
        """All in OpenAI's shape, those that give vectors among them."""
        vectors = map(self._embedding, self._offers.setup.embeddings)
        return {"object": "list", "data": [*self._listed(self._openai), *vectors]}

    def openai_one(self, name: str) -> dict[str, Any]:
        """One in OpenAI's shape; raises `UnknownModel`, as do the others."""
        if name in self._offers.setup.embeddings:
            return self._embedding(name)
        return {**self._openai(*self._found(name)), "id": name}

    def anthropic(self, query: Mapping[str, str]) -> dict[str, Any]:
        """A page in Anthropic's shape, which `limit`, `after_id` and `before_id` choose.

        Raises:
            InvalidRequest: one of them cannot be used.
        """
        return _anthropic_page(self._listed(self._anthropic), query)

    def anthropic_one(self, name: str) -> dict[str, Any]:
        """One in Anthropic's shape."""
        return {**self._anthropic(*self._found(name)), "id": name}

    def gemini(self, query: Mapping[str, str]) -> dict[str, Any]:
        """A page in Gemini's shape, which `pageSize` and `pageToken` choose.

        Raises:
            InvalidRequest: one of them cannot be used.
        """
        size = page_size(query.get("pageSize"), "pageSize", default=_GOOGLE, most=1000)
        token = query.get("pageToken", "")
        if token and not (token.isascii() and token.isdigit()):
            raise InvalidRequest(
                f"`pageToken` is {token!r}, which is none of this gateway's.", param="pageToken"
            )
        begin = int(token[:9] or 0)
        vectors = map(self._google_embedding, self._offers.setup.embeddings)
        listed = [*self._listed(self._google), *vectors]
        page: dict[str, Any] = {"models": listed[begin : begin + size]}
        if begin + size < len(listed):
            page["nextPageToken"] = str(begin + size)
        return page

    def gemini_one(self, name: str) -> dict[str, Any]:
        """One in Gemini's shape."""
        if name in self._offers.setup.embeddings:
            return self._google_embedding(name)
        return {**self._google(*self._found(name)), "name": _FAMILY + name}

    def _listed(self, entry: Callable[[str, Model | None, str | None], _Entry]) -> Sequence[_Entry]:
        setup = self._offers.setup
        policies = [entry(name, None, None) for name in setup.policies]
        return [*policies, *(entry(name, model, None) for name, model in setup.models.items())]

    def _found(self, name: str) -> tuple[str, Model | None, str | None]:
        """A policy, or a model and the deployment that a name pins it to.

        Raises:
            UnknownModel: it is neither.
        """
        setup = self._offers.setup
        if name in setup.policies:
            return name, None, None
        found, pinned = self._offers.router.model_named(name)
        return found, setup.models[found], pinned

    def _openai(self, name: str, model: Model | None, pinned: str | None) -> dict[str, Any]:
        """What is listed of a model; with `pinned`, as it is at that deployment alone."""
        if model is None:
            return {"id": name, "object": "model", "created": 0, "owned_by": "tierwise"}
        deployments = [
            deployment
            for deployment in self._offers.setup.deployments[name]
            if pinned in (None, deployment.id)
        ]
        return {
            "id": name,
            "object": "model",
            "created": 0,
            "owned_by": model.family or deployments[0].provider,
            "tierwise": {
                "deployments": [d.id for d in deployments],
                "available": any(self._offers.health.available(d) for d in deployments),
                "capabilities": sorted(model.capabilities),
                "context_window": model.context_window,
                "prices": msgspec.to_builtins(model.prices),
            },
        }

    def _embedding(self, name: str) -> dict[str, Any]:
        """What is listed of a model for embeddings."""
        places = self._offers.setup.embeddings[name]
        return {
            "id": name,
            "object": "model",
            "created": 0,
            "owned_by": places[0].provider,
            "tierwise": {
                "deployments": [place.id for place in places],
                "available": any(self._offers.health.available(one) for one in places),
                "capabilities": ["embeddings"],
                "prices": msgspec.to_builtins(places[0].prices),
            },
        }

    def _google_embedding(self, name: str) -> dict[str, Any]:
        """The same in Gemini's shape."""
        return {
            "name": _FAMILY + name,
            "baseModelId": name,
            "version": "1",
            "displayName": name,
            "description": "",
            "supportedGenerationMethods": [EMBED, EMBED_MANY],
        }

    def _anthropic(self, name: str, model: Model | None, _: str | None) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "type": "model",
            "id": name,
            "display_name": name,
            "created_at": _CREATED,
        }
        if model is not None:
            entry["max_input_tokens"] = model.context_window
            if model.max_output_tokens is not None:
                entry["max_tokens"] = model.max_output_tokens
        return entry

    def _google(self, name: str, model: Model | None, _: str | None) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "name": _FAMILY + name,
            "baseModelId": name,
            "version": "1",
            "displayName": name,
            "description": "A policy of this gateway." if model is None else "",
            "supportedGenerationMethods": [GENERATE, STREAM, COUNT],
        }
        if model is not None:
            entry["inputTokenLimit"] = model.context_window
            if model.max_output_tokens is not None:
                entry["outputTokenLimit"] = model.max_output_tokens
        return entry


def _anthropic_page(listed: Sequence[dict[str, Any]], query: Mapping[str, str]) -> dict[str, Any]:
    """A page as https://docs.anthropic.com/en/api/models-list has it.

    Raises:
        InvalidRequest: a cursor is no model that is listed, or the limit is none.
    """
    limit = page_size(query.get("limit"), "limit", default=20, most=1000)
    names = [entry["id"] for entry in listed]
    after, before = query.get("after_id"), query.get("before_id")
    for field, cursor in (("after_id", after), ("before_id", before)):
        if cursor is not None and cursor not in names:
            raise InvalidRequest(
                f"`{field}` is {cursor!r}, which is not listed. Send an id of a page.", param=field
            )
    begin, end = 0, len(listed)
    if before is not None:
        end = names.index(before)
        begin = max(0, end - limit)
        more = begin > 0
    else:
        begin = names.index(after) + 1 if after is not None else 0
        end = min(end, begin + limit)
        more = end < len(listed)
    page = listed[begin:end]
    return {
        "data": page,
        "has_more": more,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
    }
