"""What is no text is refused, also where nobody reads it, and looking for it has a bound."""

from __future__ import annotations

import json
from typing import Any

import pytest

from builders import a_deployment
from fuzz.seeds import ANSWERS, CLIENTS, EMBEDDINGS, STREAMS, event_of, stream_of
from tierwise.errors import InvalidRequest, ServerFailed
from tierwise.providers import load_adapter
from tierwise.providers.translating import speaking
from tierwise.types import Task
from tierwise.wire import embeddings, openai_chat
from tierwise.wire.dialect import dialect_named
from tierwise.wire.surrogates import half_character
from tierwise.wire.translate import task_of

BAD = b'"unread": "\xff", '


def task(dialect: str, *, stream: bool = False) -> Task:
    body = json.dumps({**CLIENTS[dialect][0], "stream": stream}).encode()
    return task_of(dialect_named(dialect).read_request(body), body)


def adapter(name: str) -> Any:
    return load_adapter(name)(a_deployment("m", dialect=name, api_key="k"))


@pytest.mark.parametrize("dialect", CLIENTS)
def test_a_request_that_is_no_text_is_refused(dialect: str) -> None:
    body = b"{" + BAD + json.dumps(CLIENTS[dialect][0]).encode()[1:]
    with pytest.raises(InvalidRequest, match="not valid JSON"):
        dialect_named(dialect).read_request(body)


def test_so_it_is_by_whoever_reads_it() -> None:
    for read, seed in (
        (openai_chat.read_request, CLIENTS["openai-chat"][0]),
        (embeddings.read_request, EMBEDDINGS[0]),
    ):
        with pytest.raises(InvalidRequest, match="not valid JSON"):
            read(b"{" + BAD + json.dumps(seed).encode()[1:])


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_is_no_text_is_the_servers_failure(name: str) -> None:
    body = b"{" + BAD + json.dumps(ANSWERS[name][0]).encode()[1:]
    with pytest.raises(ServerFailed):
        adapter(name).reply(body, task("openai-chat"))


def test_a_translated_stream_that_is_no_text_is_the_servers_failure() -> None:
    asked = task("openai-chat", stream=True)
    reader = speaking(adapter("anthropic"), asked).stream_reader(asked)
    begins, *_ = STREAMS["anthropic"][0]
    reader.feed(event_of("anthropic", begins))
    with pytest.raises(ServerFailed, match="cannot be read"):
        reader.feed(b'event: ping\ndata: {"type": "ping", "x": "\xff"}\n\n')


def test_text_of_any_script_is_read() -> None:
    for name in ANSWERS:
        body = '{"unread": "größer 🙂", '.encode() + json.dumps(ANSWERS[name][0]).encode()[1:]
        assert adapter(name).reply(body, task("openai-chat")).completion().text is not None


def test_half_a_character_is_found_unless_it_would_take_long() -> None:
    assert half_character(rb'{"a": "\ud83d\ude42 \ud83d"}') == r"\ud83d"
    assert half_character(rb'{"a": "\ud83d\ude42"}') is None
    assert half_character(rb'{"a": "\ud83d"') is None, "more is wrong than that"
    assert half_character(b'{"a": "' + b"x" * (1 << 20) + rb'\ud83d"}') is None


@pytest.mark.parametrize("name", ["bedrock", "cohere"])
def test_a_stream_whose_events_cannot_be_read_says_nothing_that_gates_could_judge(
    name: str,
) -> None:
    asked = task("openai-chat", stream=True)
    native = adapter(name)
    reader = native.stream_reader(asked, keep=True)
    begins, *others = STREAMS[name][0]
    spoilt = b'{"type": "content-delta", "index": "x", "contentBlockIndex": "x"}'
    middle = next(one for one in others if "delta" in json.dumps(one).lower())
    reader.feed(event_of(name, begins) + event_of(name, middle, spoilt))
    with pytest.raises(ServerFailed, match="cannot be read"):
        reader.completion()


def test_a_renamed_stream_of_gemini_that_cannot_be_read_is_the_servers_failure() -> None:
    reader = adapter("gemini").stream_reader(task("gemini", stream=True))
    first, *_ = STREAMS["gemini"][0]
    assert reader.rename("other", reader.feed(event_of("gemini", first)))
    with pytest.raises(ServerFailed, match="cannot be read"):
        reader.feed(b'data: {"modelVersion": "m", oops}\n\n')


@pytest.mark.parametrize("name", STREAMS)
def test_the_seeds_are_well(name: str) -> None:
    asked = task("openai-chat", stream=True)
    reader = speaking(adapter(name), asked).stream_reader(asked, keep=True)
    assert reader.feed(stream_of(name, STREAMS[name][0]))
    reader.close()
    assert reader.completion().text


def test_a_stream_of_cohere_that_begins_with_no_text_is_the_servers_failure() -> None:
    asked = task("openai-chat", stream=True)
    begins = STREAMS["cohere"][0][0]
    said = b'{"\xff": 1, ' + json.dumps(begins).encode()[1:]
    with pytest.raises(ServerFailed, match="cannot be read"):
        adapter("cohere").stream_reader(asked).feed(event_of("cohere", begins, said))
