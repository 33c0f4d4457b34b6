"""What is said in a Gemini request: `contents` and `systemInstruction`, read."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator

import msgspec

from tierwise.errors import InvalidRequest
from tierwise.wire.conversation import (
    Audio,
    Document,
    Foreign,
    Image,
    Part,
    Reasoning,
    Role,
    Source,
    Text,
    ToolCall,
    ToolResult,
    Turn,
    Video,
)
from tierwise.wire.gemini.fields import Fields, as_json, wrong

NAME = "gemini"
_ROLES = {"user": "user", "model": "assistant", "function": "user", "tool": "user"}
_KINDS = ("text", "functionCall", "functionResponse", "inlineData", "fileData")
_DONE_BY_PROVIDER = frozenset({"executableCode", "codeExecutionResult", "toolCall", "toolResponse"})
"""What the provider's own tools did: the conversation makes sense without it."""
_BESIDE = frozenset({"thought", "thoughtSignature", "partMetadata", "displayName"})
_encode = msgspec.json.Encoder().encode


def made_id(turn: int, call: int) -> str:
    """The id of a call that came without one: the first turn and the first call are 0."""
    return f"call_{turn}_{call}"


def read_system(value: object, at: str) -> Turn:
    """The system instruction; Google takes a plain string as well."""
    if isinstance(value, str):
        return Turn(role="system", parts=(Text(text=value),))
    content = Fields(value, at)
    content.take("role")
    return Turn(role="system", parts=tuple(_Reader(0).parts(content)))


def read_turns(contents: list[tuple[object, str]], first: int) -> Iterator[Turn]:
    """The turns of `contents`; results of tools are in turns of their own.

    Args:
        first: how many turns stand before them.
    """
    reader = _Reader(first)
    for value, at in contents:
        yield from reader.turns(value, at)


class _Reader:
    """Remembers the calls, so that results without ids find theirs."""

    def __init__(self, first: int) -> None:
        self._turn = first
        self._calls = 0
        self._open: list[tuple[str, str]] = []

    def turns(self, value: object, at: str) -> Iterator[Turn]:
        content = Fields(value, at)
        written = content.text("role") or "user"
        role = _ROLES.get(written)
        if role is None:
            remedy = "Answers are of the role `model`; instructions belong in `systemInstruction`."
            raise wrong(content.place("role"), written, "`user` or `model`", remedy)
        parts: list[Part] = []
        results = False
        for part in self.parts(content):
            is_result = isinstance(part, ToolResult)
            if parts and is_result != results:
                yield self._said("tool" if results else role, parts)
                parts = []
            results = is_result
            parts.append(part)
        yield self._said("tool" if results else role, parts)

    def parts(self, content: Fields) -> Iterator[Part]:
        for value, at in content.each("parts"):
            yield self._part(value, at)

    def _said(self, role: str, parts: list[Part]) -> Turn:
        self._turn += 1
        self._calls = 0
        return Turn(role=_as_role(role), parts=tuple(parts))

    def _part(self, value: object, at: str) -> Part:
        if isinstance(value, dict) and len(value) == 1:
            only = value.get("text")
            if isinstance(only, str):
                return Text(text=only)  # as most are
        fields = Fields(value, at)
        found = [kind for kind in _KINDS if kind in fields.left]
        if len(found) > 1:
            raise wrong(at, value, f"one of {', '.join(found)}", "Send a part for each of them.")
        if not found:
            return _other(fields, value)
        kind = found[0]
        if kind == "functionCall":
            return self._call(fields)
        if kind == "functionResponse":
            return self._result(fields, value)
        if kind == "text":
            return _text(fields)
        return _medium(fields, kind, value)

    def _call(self, fields: Fields) -> ToolCall:
        signature = fields.text("thoughtSignature")
        call = fields.inner("functionCall")
        assert call is not None  # noqa: S101 - it was found
        name = _needed(call, "name")
        args = call.take("args")
        if args is not None and not isinstance(args, dict):
            raise wrong(call.place("args"), args, "an object")
        known = call.text("id") or made_id(self._turn, self._calls)
        self._calls += 1
        self._open.append((known, name))
        return ToolCall(
            id=known,
            name=name,
            arguments=_encode(args or {}).decode(),
            signature=signature,
            origin=NAME if signature else "",
        )

    def _result(self, fields: Fields, value: object) -> Part:
        answer = fields.inner("functionResponse")
        assert answer is not None  # noqa: S101 - it was found
        name = _needed(answer, "name")
        known = self._answered(answer.text("id"), name)
        said = answer.take("response")
        parts: list[Part] = []
        failed = False
        if said is not None:
            text, failed = _result_text(said, answer.place("response"))
            parts.append(Text(text=text))
        for one, at in answer.each("parts"):
            piece = Fields(one, at)
            kind = next((k for k in ("inlineData", "fileData") if k in piece.left), None)
            parts.append(_medium(piece, kind, one) if kind else _other(piece, one))
        if answer.left:  # `willContinue`, `scheduling`
            return Foreign(
                origin=NAME, what=f"functionResponse.{next(iter(answer.left))}", raw=as_json(value)
            )
        return ToolResult(call_id=known, parts=tuple(parts), name=name, failed=failed)

    def _answered(self, known: str | None, name: str) -> str:
        """The id of the call that a result answers: by its id, its name or its place."""
        place = next(
            (i for i, (call, _) in enumerate(self._open) if call == known)
            if known is not None
            else (i for i, (_, called) in enumerate(self._open) if called == name),
            None,
        )
        if place is not None:
            return self._open.pop(place)[0]
        if known is not None:
            return known
        self._calls += 1
        return made_id(self._turn, self._calls - 1)


def _as_role(role: str) -> Role:
    known: Role = role  # type: ignore[assignment]
    return known


def _needed(fields: Fields, name: str) -> str:
    value = fields.text(name)
    if not value:
        raise InvalidRequest(
            f"`{fields.place(name)}` is missing. Add it.", param=fields.place(name)
        )
    return value


def _text(fields: Fields) -> Part:
    text, signature = fields.text("text") or "", fields.text("thoughtSignature")
    origin = NAME if signature else ""
    if fields.flag("thought"):
        # What is given out of thoughts are summaries: ai.google.dev/gemini-api/docs/thinking
        return Reasoning(text=text, signature=signature, origin=NAME, summary=True)
    return Text(text=text, signature=signature, origin=origin)


def _result_text(said: object, at: str) -> tuple[str, bool]:
    """What a tool gave, as text, and whether that is an error.

    `output` and `error` are the names for it, and without them the whole object is the output:
    ai.google.dev/api/caching#FunctionResponse.
    """
    if not isinstance(said, dict):
        raise wrong(at, said, "an object", 'Send {"output": ...}.')
    if len(said) == 1:
        name, value = next(iter(said.items()))
        if name == "error":
            return value if isinstance(value, str) else _encode(value).decode(), True
        if name == "output" and isinstance(value, str):
            return value, False
    return _encode(said).decode(), False


def _medium(fields: Fields, kind: str, value: object) -> Part:
    held = fields.inner(kind)
    assert held is not None  # noqa: S101 - it was found
    name = held.text("displayName")
    if kind == "inlineData":
        data = _standard(_needed(held, "data"))
        source = Source(media_type=_needed(held, "mimeType"), data=data)
    else:
        source = _file(_needed(held, "fileUri"), held.text("mimeType"))
    if fields.left.keys() - {"partMetadata"} or held.left:
        # A signature, or `videoMetadata` that cuts a piece out of it.
        first = next(iter([*fields.left, *held.left]))
        return Foreign(origin=NAME, what=f"parts.{first}", raw=as_json(value))
    kind = (source.media_type or "").partition("/")[0]
    if kind == "image":
        return Image(source=source)
    if kind == "audio":
        return Audio(source=source)
    if kind == "video":
        return Video(source=source)
    return Document(source=source, name=name)


def _standard(data: str) -> str:
    """Base64 in the alphabet that all know; Google takes that for URLs too, without padding, and
    its own client for Python sends it: protobuf.dev/programming-guides/json."""
    data = data.replace("-", "+").replace("_", "/")
    return data + "=" * (-len(data) % 4)


def _file(uri: str, media_type: str | None) -> Source:
    """Where a file is: at a URL, or in storage that only Google can read."""
    if media_type is None:
        if "youtube.com/" in uri or "youtu.be/" in uri:
            media_type = "video/mp4"
        else:
            media_type = mimetypes.guess_type(uri.partition("?")[0])[0]
    if uri.startswith(("http://", "https://")) and "generativelanguage.googleapis.com" not in uri:
        return Source(media_type=media_type, url=uri)
    return Source(media_type=media_type, file_id=uri)


def _other(fields: Fields, value: object) -> Part:
    """A part that no other dialect has."""
    names = [name for name in fields.left if name not in _BESIDE]
    if names:
        return Foreign(
            origin=NAME,
            what=names[0],
            raw=as_json(value),
            binding=names[0] not in _DONE_BY_PROVIDER,
        )
    if "thoughtSignature" in fields.left:
        return _text(fields)
    raise InvalidRequest(
        f'`{fields.at}` is empty. Send a part such as {{"text": "Hello"}}.', param=fields.at
    )
