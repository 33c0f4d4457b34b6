"""Events of streams are of one line, in however many lines what they tell was written."""

from __future__ import annotations

import json

import pytest

from fuzz.seeds import CLIENTS
from tierwise.errors import UpstreamRejected
from tierwise.server.speech import Speech
from tierwise.wire import sse
from tierwise.wire.dialect import dialect_named
from tierwise.wire.spoken import Began, Ended, TextPiece

OWN = {
    "openai-chat": {"error": {"message": "no", "type": "x", "param": None, "code": None}},
    "openai-responses": {"error": {"message": "no", "type": "x", "param": None, "code": None}},
    "anthropic": {"type": "error", "error": {"type": "x", "message": "no"}},
    "gemini": {"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}},
}


def said(stream: bytes) -> list[dict[str, object]]:
    """What the events say, each of which must be whole."""
    data = [sse.payload(event) for event in sse.events(stream)]
    return [json.loads(one) for one in data if one is not None and one != b"[DONE]"]


@pytest.mark.parametrize("dialect", CLIENTS)
def test_what_a_stream_tells_of_an_indented_request_is_whole(dialect: str) -> None:
    for seed in CLIENTS[dialect]:
        body = json.dumps(seed, indent="\r\n\n").encode()
        writer = dialect_named(dialect).event_writer(dialect_named(dialect).read_request(body))
        out = writer.write([Began(id="1", model="m"), TextPiece(text="Hi"), Ended(finish="stop")])
        assert said(out + writer.close())


@pytest.mark.parametrize("dialect", OWN)
def test_an_indented_error_of_a_provider_is_one_event(dialect: str) -> None:
    own = json.dumps(OWN[dialect], indent=2).encode() + b"\n\n"
    event = dialect_named(dialect).error_event(UpstreamRejected("no", status=400, body=own))
    (told,) = said(event)
    assert "no" in json.dumps(told)


def test_so_it_is_where_chat_is_served() -> None:
    own = json.dumps(OWN["openai-chat"], indent=2).encode()
    (told,) = said(Speech().error_event(UpstreamRejected("no", status=400, body=own)))
    assert told == OWN["openai-chat"]
