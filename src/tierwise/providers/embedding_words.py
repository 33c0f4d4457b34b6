"""What embeddings are wanted for, and what else providers ask about them, in their own words.

OpenAI's dialect has no word for the purpose of a vector; Cohere's `input_type` is what its clients
add, and Voyage's means the same. Each provider gets it in its own word.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Raw

from tierwise.errors import Unsatisfiable
from tierwise.wire.embeddings import EmbeddingsAsked

_PURPOSES = {
    "search_query": "search_query",
    "query": "search_query",
    "retrieval_query": "search_query",
    "search_document": "search_document",
    "document": "search_document",
    "retrieval_document": "search_document",
    "classification": "classification",
    "clustering": "clustering",
}
"""The words for a purpose that are understood, in Cohere's."""


def purpose(
    asked: EmbeddingsAsked, words: Mapping[str, str], name: str = "input_type"
) -> str | None:
    """What the vectors are for, in a provider's `words` by Cohere's; None if nobody said.

    A word that is the provider's own stays as it is.

    Raises:
        Unsatisfiable: the provider has no word for it.
    """
    said = word_of(asked, name)
    if said is None or said in words.values():
        return said
    found = words.get(_PURPOSES.get(said.lower(), ""))
    if found is None:
        known = ", ".join(f"`{word}`" for word in words)
        raise Unsatisfiable(f"`{name}` is {said!r}; send one of {known}.", param=name)
    return found


def word_of(asked: EmbeddingsAsked, name: str) -> str | None:
    """A field of the caller's own that holds a word.

    Raises:
        Unsatisfiable: it holds something else.
    """
    value = asked.own.get(name, Raw(b"null"))
    try:
        return msgspec.json.decode(value, type=str | None)
    except msgspec.MsgspecError:
        shown = bytes(value).decode("utf-8", "replace")[:60]
        raise Unsatisfiable(f"`{name}` must be a string (got {shown}).", param=name) from None


def texts_of(asked: EmbeddingsAsked, provider: str) -> tuple[str, ...]:
    """The texts of a request.

    Raises:
        Unsatisfiable: it has OpenAI's tokens, which nobody else can read.
    """
    if asked.tokens:
        raise Unsatisfiable(
            f"`input` holds tokens, which {provider} cannot read. Send texts.", param="input"
        )
    return asked.texts


def only(asked: EmbeddingsAsked, provider: str, *known: str) -> None:
    """Refuses fields that a provider has no words for.

    Raises:
        Unsatisfiable: names the first of them.
    """
    for name in asked.own:
        if name not in known:
            allowed = ", ".join(f"`{word}`" for word in known)
            raise Unsatisfiable(
                f"`{name}` means nothing to {provider}. Leave it out; it knows {allowed}.",
                param=name,
            )
