"""OpenAI's Responses: requests that go on from an earlier answer, and the answers that are kept.

A request that names an earlier answer is sent on with all that was said before it in place of the
name, so that any provider can take it, not only the one that gave the answer. Reference:
https://platform.openai.com/docs/api-reference/responses
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import Raw, Struct

from tierwise.errors import InvalidRequest, UnknownResponse
from tierwise.state.kept_responses import Caller, Kept, KeptResponses, items_of
from tierwise.types import Task
from tierwise.wire import sse
from tierwise.wire.openai_chat import field_of, json_string, with_fields
from tierwise.wire.pages import page_size
from tierwise.wire.translate import read_task
from tierwise.wire.unreadable import UNREADABLE

DIALECT = "openai-responses"
_REFERENCE = b"item_reference"
_NUMBER = b'"sequence_number"'
_ENDS = (b"response.completed", b"response.incomplete")


class _Asked(Struct):
    input: Raw = Raw(b"")
    previous_response_id: str | None = None
    store: bool | None = None
    background: bool | None = None


class _Item(Struct):
    type: str = "message"
    id: str | None = None
    encrypted_content: str | None = None


class _Short(Struct):
    """A message whose content is a text."""

    content: str
    role: str = "user"


class _Response(Struct):
    id: str


class _Event(Struct):
    type: str = ""
    response: Raw = Raw(b"")


class _Numbered(Struct):
    sequence_number: int


_decode_asked = msgspec.json.Decoder(_Asked).decode
_decode_item = msgspec.json.Decoder(_Item).decode
_decode_short = msgspec.json.Decoder(_Short).decode
_decode_response = msgspec.json.Decoder(_Response).decode
_decode_event = msgspec.json.Decoder(_Event).decode
_decode_numbered = msgspec.json.Decoder(_Numbered).decode


async def follow(body: bytes, kept: KeptResponses, caller: Caller) -> Following:
    """The request that a body asks, with what it only names in full.

    Raises:
        InvalidRequest: it is wrong, or goes on from an answer that is not kept.
        UnknownResponse: it names an item that is not kept.
    """
    asked, given, body = await _in_full(body, kept, caller)
    if asked.background:
        # Imported only here: the dialect is large, and such requests are few.
        from tierwise.wire.responses.invalid import in_background

        raise in_background()
    return Following(
        read_task(DIALECT, body),
        kept,
        caller=caller,
        answers=given if asked.store is not False else None,
        previous=asked.previous_response_id,
    )


async def in_full(body: bytes, kept: KeptResponses, caller: Caller) -> bytes:
    """A body with what it only names in full.

    Raises:
        InvalidRequest, UnknownResponse: as `follow`, where that is not kept.
    """
    return (await _in_full(body, kept, caller))[2]


async def _in_full(body: bytes, kept: KeptResponses, caller: Caller) -> tuple[_Asked, bytes, bytes]:
    """What a body asks, the `input` that it stands for, and the body with that."""
    earlier = _Earlier(kept, caller)
    try:
        asked = _decode_asked(body)
        given = bytes(asked.input)
        goes_on, refers = asked.previous_response_id is not None, _REFERENCE in body
        items = items_of(given) if goes_on or refers else []
    except UNREADABLE as error:
        # Imported only here: few requests are wrong.
        from tierwise.wire.responses.invalid import explained

        raise explained(error, body) from None
    whole = await earlier.resolved(items) if refers else items
    if asked.previous_response_id is not None:
        whole = [*await earlier.said(asked.previous_response_id), *whole]
    if asked.previous_response_id is not None or whole != items:
        given = _list(whole)
        with suppress(*UNREADABLE):  # then the dialect says what is wrong with it
            body = with_fields(body, {"input": given, "previous_response_id": None})
    return asked, given, body


class Following:
    """One request, whose answer is kept before the caller has it.

    `task` asks all that was said before it, too. `answers` is the `input` that it answers, as JSON;
    None if the answer is not to be kept. `previous` names the answer that it goes on from.
    """

    __slots__ = ("_answers", "_caller", "_kept", "_last", "_previous", "task")

    def __init__(
        self,
        task: Task,
        kept: KeptResponses,
        *,
        caller: Caller,
        answers: bytes | None,
        previous: str | None,
    ) -> None:
        self.task = task
        self._kept = kept
        self._caller = caller
        self._answers = answers
        self._previous = json_string(previous) if previous is not None else None
        self._last = b""

    def whole(self, body: bytes) -> bytes:
        """The answer, which says what it goes on from."""
        if self._previous is not None:
            body = with_fields(body, {"previous_response_id": self._previous})
        self._keep(body)
        return body

    def shown(self, block: bytes) -> bytes:
        """The block, in which events say what the answer goes on from."""
        if self._previous is not None:
            field = b'"previous_response_id":'
            block = block.replace(field + b"null", field + self._previous)
            block = block.replace(field + b" null", field + self._previous)
        if self._answers is not None and any(end in block for end in _ENDS):
            for event in sse.events(block):
                self._look(sse.payload(event))
        if _NUMBER in block:
            self._last = block
        return block

    def next_number(self) -> int:
        """The number of the event that follows those of the blocks that were shown."""
        for event in reversed(list(sse.events(self._last))):
            with suppress(*UNREADABLE):
                return _decode_numbered(sse.payload(event) or b"").sequence_number + 1
        return 0

    def _look(self, data: bytes | None) -> None:
        """Keeps the answer if this event ends it."""
        if data is None:
            return
        try:
            event = _decode_event(data)
        except UNREADABLE:
            return
        if event.type.encode() in _ENDS:
            self._keep(bytes(event.response))

    def _keep(self, response: bytes) -> None:
        if self._answers is None:
            return
        try:
            name = _decode_response(response).id
        except UNREADABLE:
            return  # nobody can name it, then
        self._kept.keep(self._caller, name, Kept(response, self._answers))


class _Earlier:
    """What was said before, as requests name it."""

    def __init__(self, kept: KeptResponses, caller: Caller) -> None:
        self._kept = kept
        self._caller = caller

    async def said(self, name: str) -> list[bytes]:
        """All that was said up to the answer that the request goes on from."""
        found = await self._kept.find(self._caller, name)
        if found is None:
            raise InvalidRequest(
                f"Previous response with id '{name}' not found. Answers are kept here for a day, "
                "and not those that were asked for with `store: false`. Send the whole "
                "conversation as `input` instead.",
                param="previous_response_id",
                code="previous_response_not_found",
            )
        said = [one for one in map(_as_input, found.output) if one is not None]
        return [*found.items, *said]

    async def resolved(self, items: list[bytes]) -> list[bytes]:
        """The items, those in place of the references that stand for them."""
        found: list[bytes] = []
        for index, item in enumerate(items):
            read = _read_item(item)
            if read.type != "item_reference" or read.id is None:
                found.append(item)
                continue
            meant = await self._kept.item(self._caller, read.id)
            if meant is None:
                raise UnknownResponse(
                    f"Item with id '{read.id}' not found. Items are kept here for a day, and not "
                    "those of answers that were asked for with `store: false`. Send the item "
                    "itself instead.",
                    param=f"input[{index}].id",
                )
            said = _as_input(meant)
            if said is not None:
                found.append(said)
        return found


async def found(kept: KeptResponses, caller: Caller, name: str) -> Kept:
    """The kept answer of that name.

    Raises:
        UnknownResponse: there is none for this caller.
    """
    answer = await kept.find(caller, name)
    if answer is None:
        raise _unknown(name)
    return answer


async def forgotten(kept: KeptResponses, caller: Caller, name: str) -> dict[str, Any]:
    """Forgets a kept answer; gives what its caller is told then.

    Raises:
        UnknownResponse: there is none for this caller.
    """
    if not await kept.forget(caller, name):
        raise _unknown(name)
    return {"id": name, "object": "response", "deleted": True}


def listed(kept: Kept, query: Mapping[str, str]) -> dict[str, Any]:
    """One page of the items that an answer is an answer to.

    Raises:
        InvalidRequest: a parameter of the query cannot be used.
    """
    order, after = query.get("order", "desc"), query.get("after")
    if order not in ("asc", "desc"):
        raise InvalidRequest(f"`order` is {order!r}. Use asc or desc.", param="order")
    limit = page_size(query.get("limit"), "limit", default=20, most=100)
    items = [_shown(item, index) for index, item in enumerate(kept.items)]
    if order == "desc":
        items.reverse()
    names = [name for name, _ in items]
    begin = names.index(after) + 1 if after in names else 0
    page = items[begin : begin + limit]
    return {
        "object": "list",
        "data": [item for _, item in page],
        "first_id": page[0][0] if page else None,
        "last_id": page[-1][0] if page else None,
        "has_more": begin + limit < len(items),
    }


def _unknown(name: str) -> UnknownResponse:
    return UnknownResponse(f"Response with id '{name}' not found.")


def _list(items: list[bytes]) -> bytes:
    return b"[" + b",".join(items) + b"]"


def _read_item(item: bytes) -> _Item:
    try:
        return _decode_item(item)
    except UNREADABLE:
        return _Item()


def _as_input(item: bytes) -> bytes | None:
    """An item of an answer as one of a later request; None if that has no use for it.

    Ids belong to the provider that gave them, which may not be the one that is asked next, and
    thoughts that are only named by their id are lost with it.
    """
    read = _read_item(item)
    if read.type == "reasoning" and read.encrypted_content is None:
        return None
    if read.type not in ("message", "function_call", "custom_tool_call") or item[:1] != b"{":
        return item
    return with_fields(item, {"id": None, "status": None})


def _shown(item: bytes, index: int) -> tuple[str, Raw]:
    """An item's id, and the item with all that it is listed with: an id, its type, and the words of
    a message as a part, however short its client has put it."""
    name = _read_item(item).id
    changes: dict[str, bytes | None] = {}
    if name is None:
        name = f"msg_{index}"
        changes["id"] = json_string(name)
    if field_of(item, "type") is None:
        changes["type"] = b'"message"'
    with suppress(*UNREADABLE):  # its content is no text, then
        said = _decode_short(item)
        part: dict[str, Any] = {"type": "input_text", "text": said.content}
        if said.role == "assistant":
            part = {"type": "output_text", "text": said.content, "annotations": []}
        changes["content"] = msgspec.json.encode([part])
    return name, Raw(with_fields(item, changes) if changes else item)
