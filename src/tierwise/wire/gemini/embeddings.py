"""Gemini's embeddings as its clients ask for them: `:embedContent` and `:batchEmbedContents`.

https://ai.google.dev/api/embeddings. The model stands in the path. What one text is wanted for, its
title and the size of its vector must be the same for all texts of a batch: no other provider can be
asked for them one by one.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from tierwise.errors import InvalidRequest, RequestError
from tierwise.wire.embeddings import MOST_INPUTS, Embeddings, EmbeddingsAsked
from tierwise.wire.gemini.fields import Fields, as_json, wrong
from tierwise.wire.mistakes import Mistakes
from tierwise.wire.unreadable import UNREADABLE

_ONE = '{"content": {"parts": [{"text": "a text"}]}}'
_MANY = f'{{"requests": [{_ONE}]}}'
_UNSPECIFIED = "TASK_TYPE_UNSPECIFIED"
_SETTINGS = ("taskType", "title", "outputDimensionality")
_WORDS = {
    "input": "content",
    "input_type": "taskType",
    "dimensions": "outputDimensionality",
    "title": "title",
}
"""What the fields of `EmbeddingsAsked` are called here."""
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.encode
_explained_one = Mistakes(f"a JSON object such as {_ONE}", {}).explained
_explained_many = Mistakes(f"a JSON object such as {_MANY}", {}).explained


def read_one(body: bytes, model: str) -> EmbeddingsAsked:
    """The body of `:embedContent`.

    Raises:
        InvalidRequest: it is wrong, or asks what no other dialect has words for.
    """
    try:
        return _asked([Fields(_decode(body), "")], model)
    except UNREADABLE as error:
        raise _explained_one(error, body) from None


def read_many(body: bytes, model: str) -> EmbeddingsAsked:
    """The body of `:batchEmbedContents`; raises as `read_one` does."""
    try:
        whole = Fields(_decode(body), "")
        each = [Fields(value, at) for value, at in whole.each("requests")]
        _nothing_else(whole)
        if not each:
            raise InvalidRequest(f"`requests` is missing or empty. Send {_MANY}.", param="requests")
        if len(each) > MOST_INPUTS:
            raise InvalidRequest(
                f"`requests` has {len(each)} texts; at most {MOST_INPUTS} go into one request. "
                "Send the rest in another.",
                param="requests",
            )
        return _asked(each, model)
    except UNREADABLE as error:
        raise _explained_many(error, body) from None


def write_one(found: Embeddings, tokens: int) -> bytes:
    """The answer to `:embedContent`: the one vector there is."""
    (values,) = found.vectors
    return _encode({"embedding": {"values": values}, "usageMetadata": _usage(tokens)})


def write_many(found: Embeddings, tokens: int) -> bytes:
    """The answer to `:batchEmbedContents`."""
    vectors = [{"values": values} for values in found.vectors]
    return _encode({"embeddings": vectors, "usageMetadata": _usage(tokens)})


def in_googles_words(error: RequestError) -> RequestError:
    """The error with its field called as here, where it says what cannot be expressed."""
    word = _WORDS.get(error.param or "")
    if word is not None:
        error.message = error.message.replace(f"`{error.param}`", f"`{word}`")
        error.param = word
    return error


def _usage(tokens: int) -> dict[str, int]:
    return {"promptTokenCount": tokens, "totalTokenCount": tokens}


def _asked(requests: Sequence[Fields], model: str) -> EmbeddingsAsked:
    texts = tuple(_text(one) for one in requests)
    wished = [_settings(one, model) for one in requests]
    for one, wishes in zip(requests, wished, strict=True):
        for name, value, first in zip(_SETTINGS, wishes, wished[0], strict=True):
            if value != first:
                raise wrong(
                    one.place(name), value, f"the same for all texts ({first!r} for the first)",
                    "Send the others in a request of their own.",
                )  # fmt: skip
    task, title, dimensions = wished[0]
    own: dict[str, Raw] = {}
    if task is not None:
        own["input_type"] = as_json(task)
    if title is not None:
        own["title"] = as_json(title)
    asked = EmbeddingsAsked(
        body=b"", model=model, texts=texts, dimensions=dimensions, own=own, dialect="gemini"
    )
    plain: dict[str, object] = {"model": model, "input": texts}
    if dimensions is not None:
        plain["dimensions"] = dimensions
    return replace(asked, body=_encode(plain))


def _text(request: Fields) -> str:
    """The text that a vector is wanted of."""
    content = request.inner("content")
    at = request.place("content")
    if content is None:
        raise InvalidRequest(f"`{at}` is missing. Send {_ONE}.", param=at)
    content.text("role")
    parts = content.each("parts")
    _nothing_else(content)
    if len(parts) != 1:
        at = content.place("parts")
        raise InvalidRequest(
            f"`{at}` has {len(parts)} parts; a vector is made of one text here. Send one part, and "
            "each further text as a request of `:batchEmbedContents`.",
            param=at,
        )
    ((value, at),) = parts
    part = Fields(value, at)
    text = part.text("text")
    if text is None or part.left:
        other = next(iter(part.left), "text")
        raise InvalidRequest(
            f"`{part.place(other)}` cannot be embedded here: only texts can. Send "
            '{"text": "a text"}.',
            param=part.place(other),
        )
    if not text:
        raise InvalidRequest(
            f"`{part.place('text')}` is empty. Leave empty texts out.", param=part.place("text")
        )
    return text


def _settings(request: Fields, model: str) -> tuple[str | None, str | None, int | None]:
    """What a vector is for, its text's title and its size.

    Vertex takes them in an object of their own.
    """
    named = request.text("model")
    if named is not None and named.removeprefix("models/") != model:
        raise wrong(request.place("model"), named, f"the model of the path, {model!r}")
    inner = request.inner("embedContentConfig")
    task: str | None = None
    title: str | None = None
    dimensions: int | None = None
    for fields in (request, inner):
        if fields is not None:
            task = fields.text("taskType") or task
            title = fields.text("title") or title
            dimensions = fields.whole("outputDimensionality", 1) or dimensions
            _nothing_else(fields)
    return None if task == _UNSPECIFIED else task, title, dimensions


def _nothing_else(fields: Fields) -> None:
    """Refuses what nobody took: it would be lost on the way to another provider."""
    for name in fields.left:
        at = fields.place(name)
        raise InvalidRequest(f"`{at}` cannot be expressed here. Leave it out.", param=at)
