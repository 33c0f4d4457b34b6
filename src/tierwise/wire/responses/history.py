"""What a server keeps of an answer, so that another request can go on from it.

`previous_response_id` names an answer; the provider that gave it need not be the one that is asked
next, and may not keep answers at all. So the server keeps the items of every answer, those that
were asked before it included, and puts them before the input of the request that goes on.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_input = msgspec.json.Decoder(str | list[Raw] | None).decode
_decode_list = msgspec.json.Decoder(list[Raw]).decode
_encode = msgspec.json.Encoder().encode


def with_history(body: bytes, items: bytes) -> bytes:
    """A request with its history in it, in place of `previous_response_id`.

    Args:
        body: a request that `read_request` has found right.
        items: what `items_of` gave for the answer that it goes on from.
    """
    fields = _decode_fields(body)
    fields.pop("previous_response_id", None)
    fields["input"] = Raw(_encode([*_decode_list(items), *_input(fields)]))
    return _encode(fields)


def items_of(body: bytes, reply: bytes) -> bytes:
    """The items that a request (with its history in it) and its answer leave, as a JSON list.

    `instructions` are not among them: they hold for one request only.
    """
    output = _decode_fields(reply).get("output", Raw(b"[]"))
    return _encode([*_input(_decode_fields(body)), *_decode_list(output)])


def _input(fields: dict[str, Raw]) -> list[Raw]:
    asked = _decode_input(fields.get("input", Raw(b"null")))
    if isinstance(asked, str):
        return [Raw(_encode({"type": "message", "role": "user", "content": asked}))]
    return asked or []
