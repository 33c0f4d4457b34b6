"""The pages that an answer rests on, read from its bytes by each dialect's own rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

_Json = dict[str, Any]


def cited(dialect: str, answers: list[_Json]) -> set[str]:
    """The URLs that are cited in an answer, or in the events of one."""
    read = _CITED.get(dialect)
    if read is None:
        return set()
    return {url for one in answers for url in read(one) if url}


def _chat(body: _Json) -> Iterator[str | None]:
    for choice in body.get("choices") or ():
        said = choice.get("message") or choice.get("delta") or {}
        for one in said.get("annotations") or ():
            yield (one.get("url_citation") or {}).get("url")


def _anthropic(event: _Json) -> Iterator[str | None]:
    blocks = event.get("content") or ()
    found = [one for block in blocks for one in block.get("citations") or ()]
    delta = event.get("delta") or {}
    for one in [*found, delta.get("citation") or {}]:
        yield one.get("url")


def _gemini(body: _Json) -> Iterator[str | None]:
    for candidate in body.get("candidates") or ():
        grounding = candidate.get("groundingMetadata") or {}
        chunks = grounding.get("groundingChunks") or []
        supports = grounding.get("groundingSupports")
        told = (at for one in supports or () for at in one.get("groundingChunkIndices") or ())
        for at in range(len(chunks)) if supports is None else told:
            yield next(iter(chunks[at].values())).get("uri")


def _responses(event: _Json) -> Iterator[str | None]:
    """Of a whole answer; in streams it is said again at the end."""
    body = event.get("response") or event
    for item in body.get("output") or ():
        for piece in item.get("content") or ():
            for one in piece.get("annotations") or ():
                yield one.get("url")


_CITED: dict[str, Callable[[_Json], Iterator[str | None]]] = {
    "openai-chat": _chat,
    "anthropic": _anthropic,
    "gemini": _gemini,
    "openai-responses": _responses,
}
