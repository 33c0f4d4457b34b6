"""Embeddings in OpenAI's dialect: what is asked, and the vectors that answer it.

Vectors stay the JSON that the provider sent, and are read only where the caller wants the other
encoding, so that no digit is lost and long answers cost little.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta, Raw, Struct, field
from msgspec.structs import replace

from tierwise.errors import InvalidRequest, ServerFailed
from tierwise.types import Usage
from tierwise.wire.openai_chat import json_string, with_fields
from tierwise.wire.unreadable import UNREADABLE
from tierwise.wire.utf8 import check_text

MOST_INPUTS = 2048
"""https://platform.openai.com/docs/api-reference/embeddings/create"""
_CHARS_PER_TOKEN = 4
_EXAMPLE = '"input": ["first text", "second text"]'


class EmbeddingsAsked(Struct, frozen=True, kw_only=True):
    """One request for embeddings, with the body that it came in, or in OpenAI's words if it came
    in those of another `dialect`.

    Either `texts` or `tokens` (texts as the ids of OpenAI's tokens) is filled. `base64` asks for
    vectors as the base64 of little-endian 32-bit floats. `own` holds the fields that OpenAI does
    not know and a provider may, such as `input_type`, by name.
    """

    body: bytes
    model: str
    texts: tuple[str, ...] = ()
    tokens: tuple[tuple[int, ...], ...] = ()
    dimensions: int | None = None
    base64: bool = False
    user: str | None = None
    own: dict[str, Raw] = field(default_factory=dict)
    dialect: str = "openai"

    @property
    def inputs(self) -> int:
        """How many vectors are asked for."""
        return len(self.texts) or len(self.tokens)


class Embeddings(Struct, frozen=True, kw_only=True):
    """What a provider answered: one vector for each input, in their order.

    A vector is a JSON array of numbers, or a JSON string of base64. `body` is the provider's own
    answer where that is OpenAI's already and in the encoding that was asked for. `usage` is None
    where the provider does not count.
    """

    vectors: tuple[Raw, ...]
    model: str | None = None
    usage: Usage | None = None
    body: bytes | None = None


class _Vector(Struct):
    embedding: Raw
    index: int | None = None


class _Counts(Struct):
    """Voyage gives the total alone."""

    prompt_tokens: Annotated[int, Meta(ge=0, le=10**12)] | None = None
    total_tokens: Annotated[int, Meta(ge=0, le=10**12)] | None = None


class _Answer(Struct):
    data: list[_Vector]
    model: str | None = None
    usage: Raw = Raw(b"")


_Inputs = str | list[str | int | list[int]]
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_inputs = msgspec.json.Decoder(_Inputs).decode
_decode_count = msgspec.json.Decoder(int | None).decode
_decode_text = msgspec.json.Decoder(str).decode
_decode_optional_text = msgspec.json.Decoder(str | None).decode
_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_counts = msgspec.json.Decoder(_Counts, strict=False).decode
_decode_floats = msgspec.json.Decoder(list[float]).decode
_encode = msgspec.json.encode


def read_request(body: bytes) -> EmbeddingsAsked:
    """The body of `POST /v1/embeddings`.

    Raises:
        InvalidRequest: the body is not JSON, or a field is missing, empty or of the wrong type.
    """
    fields = _fields(body)
    model = _text(fields, "model")
    if not model:
        raise InvalidRequest(
            "`model` is missing. Name a model for embeddings; GET /v1/models lists all.",
            param="model",
        )
    texts, tokens = _inputs(fields)
    return EmbeddingsAsked(
        body=body,
        model=model,
        texts=texts,
        tokens=tokens,
        dimensions=_dimensions(fields),
        base64=_is_base64(fields),
        user=_text(fields, "user"),
        own={name: value for name, value in fields.items() if name not in _KNOWN},
    )


_KNOWN = frozenset({"model", "input", "dimensions", "encoding_format", "user"})


def read_reply(body: bytes, asked: EmbeddingsAsked) -> Embeddings:
    """An answer in OpenAI's shape.

    Raises:
        msgspec.MsgspecError, UnicodeDecodeError: it is none.
    """
    check_text(body)
    answer = _decode_answer(body)
    data = answer.data
    if any(one.index is not None for one in data):
        data = sorted(data, key=lambda one: one.index or 0)
    vectors = tuple(one.embedding for one in data)
    as_asked = data == answer.data and all(is_base64(one) == asked.base64 for one in vectors)
    return Embeddings(
        vectors=vectors,
        model=answer.model,
        usage=_usage(answer.usage),
        body=body if as_asked else None,
    )


def write_reply(found: Embeddings, asked: EmbeddingsAsked, model: str) -> bytes:
    """The answer as OpenAI's clients read it, with `model` as the one that gave it."""
    if found.body is not None:
        return (
            found.body
            if found.model == model
            else with_fields(found.body, {"model": json_string(model)})
        )
    tokens = (found.usage or guessed(asked)).input_tokens
    return _encode(
        {
            "object": "list",
            "data": [
                {"object": "embedding", "index": index, "embedding": encoded(vector, asked.base64)}
                for index, vector in enumerate(found.vectors)
            ],
            "model": model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
    )


def join(parts: Sequence[Embeddings], asked: EmbeddingsAsked) -> Embeddings:
    """One answer of those to all calls of a request, each for some of its inputs, in their order.

    Raises:
        ServerFailed: there are more or fewer vectors than inputs, or one cannot be had in the
            encoding that is wanted.
    """
    found = sum(len(part.vectors) for part in parts)
    if found != asked.inputs:
        raise ServerFailed(f"{found} vectors came for {asked.inputs} inputs", status=200)
    try:
        parts = [
            replace(part, vectors=tuple(encoded(one, asked.base64) for one in part.vectors))
            for part in parts
        ]
    except UNREADABLE as error:
        raise ServerFailed(f"a vector cannot be read: {error}", status=200) from None
    if len(parts) == 1:
        return parts[0]
    counted = [part.usage for part in parts if part.usage is not None]
    whole = len(counted) == len(parts)
    return Embeddings(
        vectors=tuple(vector for part in parts for vector in part.vectors),
        model=next((part.model for part in parts if part.model), None),
        usage=Usage(input_tokens=sum(one.input_tokens for one in counted)) if whole else None,
    )


def guessed(asked: EmbeddingsAsked) -> Usage:
    """About what a request uses, for providers that do not count."""
    chars = sum(len(text) for text in asked.texts)
    tokens = chars // _CHARS_PER_TOKEN + sum(len(ids) for ids in asked.tokens)
    return Usage(input_tokens=max(tokens, asked.inputs))


def is_base64(vector: Raw) -> bool:
    """Whether a vector is base64 and not an array of numbers."""
    return bytes(memoryview(vector)[:1]) == b'"'


def encoded(vector: Raw, as_base64: bool) -> Raw:
    """A vector in the encoding that is wanted; as it came if that is the one.

    Raises:
        msgspec.MsgspecError: it is no vector.
    """
    if is_base64(vector) == as_base64:
        return vector
    if as_base64:
        with np.errstate(over="ignore"):
            numbers = np.asarray(_decode_floats(vector), dtype="<f4")
        if not np.isfinite(numbers).all():
            raise msgspec.ValidationError("a vector has a number that is too large for its kind")
        return Raw(b'"' + base64.b64encode(numbers.tobytes()) + b'"')
    try:
        numbers = np.frombuffer(base64.b64decode(_decode_text(vector)), dtype="<f4")
    except ValueError as error:
        raise msgspec.ValidationError(f"a vector is no base64 of floats: {error}") from None
    return Raw(_encode(numbers.tolist()))


def _usage(raw: Raw) -> Usage | None:
    """What was counted; None if nothing was, or if it cannot be believed."""
    try:
        counts = _decode_counts(raw)
    except UNREADABLE:
        return None
    tokens = counts.prompt_tokens or counts.total_tokens
    return Usage(input_tokens=tokens) if tokens else None


def _fields(body: bytes) -> dict[str, Raw]:
    try:
        check_text(body)
        return _decode_fields(body)
    except msgspec.ValidationError:
        problem = "must be a JSON object"
    except UNREADABLE as error:
        problem = f"is not valid JSON: {error}"
    raise InvalidRequest(f"The body {problem}. Send an object with `model` and `input`.")


def _inputs(fields: dict[str, Raw]) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
    """The texts, or the tokens, that vectors are wanted of."""
    if "input" not in fields:
        raise InvalidRequest(f"`input` is missing. Send such as {_EXAMPLE}.", param="input")
    try:
        given = _decode_inputs(fields["input"])
    except UNREADABLE:
        raise _wrong("input", fields, f"a text or a list of texts, such as {_EXAMPLE}") from None
    items: list[str | int | list[int]] = [given] if isinstance(given, str) else given
    if items and all(isinstance(item, int) for item in items):
        items = [[item for item in items if isinstance(item, int)]]  # one text, as its tokens
    texts = tuple(item for item in items if isinstance(item, str))
    tokens = tuple(tuple(item) for item in items if isinstance(item, list))
    if max(len(texts), len(tokens)) != len(items):
        raise _wrong("input", fields, "either texts or tokens, not both")
    if not items or not all(texts) or not all(tokens):
        raise InvalidRequest(
            "`input` is empty, or one of its texts is. Leave empty texts out.", param="input"
        )
    if len(items) > MOST_INPUTS:
        raise InvalidRequest(
            f"`input` has {len(items)} texts; at most {MOST_INPUTS} go into one request. Send the "
            "rest in another.",
            param="input",
        )
    return texts, tokens


def _dimensions(fields: dict[str, Raw]) -> int | None:
    try:
        wanted = _decode_count(fields.get("dimensions", b"null"))
    except UNREADABLE:
        wanted = 0
    if wanted is not None and wanted < 1:
        raise _wrong("dimensions", fields, "a whole number of at least 1")
    return wanted


def _is_base64(fields: dict[str, Raw]) -> bool:
    wanted = bytes(fields.get("encoding_format", b"null"))
    if wanted not in (b"null", b'"float"', b'"base64"'):
        raise _wrong("encoding_format", fields, '"float" or "base64"')
    return wanted == b'"base64"'


def _text(fields: dict[str, Raw], name: str) -> str | None:
    try:
        return _decode_optional_text(fields.get(name, b"null"))
    except UNREADABLE:
        raise _wrong(name, fields, "a string") from None


def _wrong(name: str, fields: dict[str, Raw], wanted: str) -> InvalidRequest:
    shown = bytes(fields[name]).decode("utf-8", "replace")
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return InvalidRequest(f"`{name}` must be {wanted} (got {shown}).", param=name)
