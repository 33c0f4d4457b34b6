"""Cohere is asked by callers of any dialect, and its answers are read as they were meant."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from msgspec.structs import replace

from builders import a_deployment, a_task
from recordings.calls import calls
from recordings.recorded import Interaction
from tierwise.errors import OutOfService, ServerFailed, StreamBroken
from tierwise.providers.cohere import Cohere
from tierwise.providers.translating import speaking
from tierwise.types import Completion, Task, ToolCall, Usage
from tierwise.wire import sse

URL = "https://api.cohere.com"


def an_adapter(**fields: Any) -> Cohere:
    fields = {"base_url": URL, "upstream_model": "command-a-03-2025", **fields}
    return Cohere(a_deployment("command-a", "cohere", dialect="cohere", **fields))


def sent(task: Task) -> dict[str, Any]:
    adapter = an_adapter()
    body: dict[str, Any] = json.loads(speaking(adapter, task).request(task).body or b"")
    return body


def test_tools_are_strict_only_if_all_are() -> None:
    def tool(name: str, *, strict: bool) -> dict[str, Any]:
        function = {"name": name, "parameters": {"type": "object"}, "strict": strict}
        return {"type": "function", "function": function}

    one, other = tool("a", strict=True), tool("b", strict=False)
    assert sent(a_task(tools=[one, tool("b", strict=True)]))["strict_tools"] is True
    assert "strict_tools" not in sent(a_task(tools=[one, other]))


def event(type_: str, delta: Any = None, **fields: Any) -> bytes:
    body = {"type": type_, **fields, **({} if delta is None else {"delta": delta})}
    return f"event: {type_}\ndata: {json.dumps(body)}\n\n".encode()


def said(**message: Any) -> dict[str, Any]:
    return {"message": message}


USAGE = {
    "billed_units": {"input_tokens": 10, "output_tokens": 5},
    "tokens": {"input_tokens": 90, "output_tokens": 8},
    "cached_tokens": 4,
}
BILLED = Usage(input_tokens=10, output_tokens=5, cached_input_tokens=4)
CALLS = [
    event("message-start", {"message": {"role": "assistant"}}, id="c1"),
    event("tool-plan-delta", said(tool_plan="I will ")),
    event("tool-plan-delta", said(tool_plan="look.")),
    event(
        "tool-call-start",
        said(
            tool_calls={"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}
        ),
        index=0,
    ),
    event("tool-call-delta", said(tool_calls={"function": {"arguments": '{"x":'}}), index=0),
    event("tool-call-delta", said(tool_calls={"function": {"arguments": "1}"}}), index=0),
    event("tool-call-end", index=0),
    event("tool-call-start", said(tool_calls={"id": "b", "function": {"name": "g"}}), index=1),
    event("tool-call-end", index=1),
    event("message-end", {"finish_reason": "TOOL_CALL", "usage": USAGE}),
]
CITATION = {
    "start": 0,
    "end": 5,
    "text": "Hello",
    "sources": [{"type": "document", "id": "d", "document": {"title": "T", "url": "https://a"}}],
}
WORDS = [
    event("message-start", {"message": {"role": "assistant"}}, id="c1"),
    event("content-start", said(content={"type": "thinking", "thinking": ""}), index=0),
    event("content-delta", said(content={"thinking": "Hm."}), index=0),
    event("content-end", index=0),
    event("content-start", said(content={"type": "text", "text": ""}), index=1),
    event("content-delta", said(content={"text": "Hello"}), index=1),
    event("citation-start", said(citations=CITATION), index=0),
    event("citation-end", index=0),
    event("content-end", index=1),
    event("message-end", {"finish_reason": "MAX_TOKENS", "usage": USAGE}),
]


def test_a_request_is_asked_in_its_words() -> None:
    tools = [
        {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
        for name in ("f", "g")
    ]
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    body = sent(
        a_task(
            messages=[
                {"role": "developer", "content": "Be brief."},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "Look"},
                        {"type": "image_url", "image_url": {"url": "https://a/b.png"}},
                    ],
                },
                {"role": "assistant", "content": "I will.", "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "a", "content": "1"},
            ],
            tools=tools,
            tool_choice={"type": "function", "function": {"name": "g"}},
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "n", "schema": {"type": "object"}},
            },
            top_p=0.5,
            top_k=3,
            stop="END",
            max_completion_tokens=9,
            seed=1,
            reasoning_effort="none",
        )
    )
    assert body == {
        "model": "command-a-03-2025",
        "stream": False,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Look"},
                    {"type": "image_url", "image_url": {"url": "https://a/b.png"}},
                ],
            },
            {"role": "assistant", "tool_calls": [call], "tool_plan": "I will."},
            {"role": "tool", "tool_call_id": "a", "content": "1"},
        ],
        "tools": tools[1:],
        "tool_choice": "REQUIRED",
        "response_format": {"type": "json_object", "json_schema": {"type": "object"}},
        "p": 0.5,
        "k": 3,
        "stop_sequences": ["END"],
        "max_tokens": 9,
        "seed": 1,
        "thinking": {"type": "disabled"},
    }


@pytest.mark.parametrize(
    ("effort", "thinking"),
    [
        ("low", {"type": "enabled", "token_budget": 2048}),
        ("high", {"type": "enabled"}),
        ("none", {"type": "disabled"}),
    ],
)
def test_an_effort_becomes_a_budget(effort: str, thinking: dict[str, Any]) -> None:
    assert sent(a_task(reasoning_effort=effort))["thinking"] == thinking


@pytest.mark.parametrize("base_url", [URL, f"{URL}/", f"{URL}/v2", f"{URL}/v1"])
def test_a_call_goes_to_its_chat_with_the_key(base_url: str) -> None:
    adapter = an_adapter(base_url=base_url, api_key="k")
    task = a_task()
    request = speaking(adapter, task).request(task)
    assert request.url == f"{URL}/v2/chat"
    assert request.headers["authorization"] == "Bearer k"
    assert adapter.sign_of_life().url == f"{URL}/v1/models"


def whole(**fields: Any) -> bytes:
    message = {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]}
    body = {"id": "c1", "finish_reason": "COMPLETE", "message": message, "usage": USAGE}
    return json.dumps({**body, **fields}).encode()


def test_an_answer_is_read_for_gates_and_for_the_client() -> None:
    task = a_task()
    adapter = an_adapter()
    reply = speaking(adapter, task).reply(whole(), task)
    assert reply.usage == BILLED
    assert reply.completion() == Completion(text="Hello", finish_reason="stop")
    reply.rename("command-a")
    body = json.loads(reply.body)
    assert (body["model"], body["choices"][0]["message"]["content"]) == ("command-a", "Hello")
    assert adapter.reply(whole(), task).reported_model == "command-a-03-2025"


def test_a_plan_is_said_before_the_calls() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "tool_plan": "I will look.", "tool_calls": [call]}
    reply = an_adapter().reply(whole(message=message, finish_reason="TOOL_CALL"), a_task())
    assert reply.completion() == Completion(
        text="I will look.",
        finish_reason="tool_calls",
        tool_calls=(ToolCall(id="a", name="f", arguments="{}"),),
    )


@pytest.mark.parametrize(
    ("reported", "finish"),
    [("COMPLETE", "stop"), ("STOP_SEQUENCE", "stop"), ("MAX_TOKENS", "length")],
)
def test_why_an_answer_ended_is_said_in_the_clients_words(reported: str, finish: str) -> None:
    task = a_task()
    reply = speaking(an_adapter(), task).reply(whole(finish_reason=reported), task)
    assert json.loads(reply.body)["choices"][0]["finish_reason"] == finish


@pytest.mark.parametrize("body", [b"{}", b"<html>", b"[]", whole(finish_reason="ERROR")])
def test_what_is_no_answer_is_a_failure(body: bytes) -> None:
    with pytest.raises(ServerFailed):
        an_adapter().reply(body, a_task())


def relayed(events: list[bytes], seed: int = 0) -> tuple[list[dict[str, Any]], Any]:
    """The chunks that a chat client reads of a stream that comes in pieces of any size."""
    task = a_task(stream=True, stream_options={"include_usage": True})
    reader = speaking(an_adapter(), task).stream_reader(task, keep=True)
    stream, chance, out = b"".join(events), random.Random(seed), b""
    while stream:
        size = chance.randint(1, 60)
        out += reader.feed(stream[:size])
        stream = stream[size:]
    out += reader.close()
    payloads = [sse.payload(one) for one in sse.events(out)]
    assert payloads[-1] == b"[DONE]"
    return [json.loads(data) for data in payloads[:-1] if data is not None], reader


@pytest.mark.parametrize("seed", range(5))
def test_a_stream_of_calls_is_read_however_it_is_cut(seed: int) -> None:
    chunks, reader = relayed(CALLS, seed)
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    assert "".join(delta.get("content") or "" for delta in deltas) == "I will look."
    calls = [call for delta in deltas for call in delta.get("tool_calls") or ()]
    assert [call["id"] for call in calls if "id" in call] == ["a", "b"]
    for index, arguments in ((0, '{"x":1}'), (1, "{}")):
        pieces = [call["function"]["arguments"] for call in calls if call["index"] == index]
        assert "".join(pieces) == arguments
    assert reader.completion() == Completion(
        text="I will look.",
        finish_reason="tool_calls",
        tool_calls=(
            ToolCall(id="a", name="f", arguments='{"x":1}'),
            ToolCall(id="b", name="g", arguments="{}"),
        ),
    )
    assert chunks[-1]["usage"]["prompt_tokens_details"] == {"cached_tokens": 4}
    assert {chunk["model"] for chunk in chunks} == {"command-a-03-2025"}
    assert reader.usage == BILLED


def test_thoughts_and_citations_of_a_stream_reach_the_client() -> None:
    chunks, _ = relayed(WORDS)
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    assert [delta["reasoning_content"] for delta in deltas if "reasoning_content" in delta] == [
        "Hm."
    ]
    cited = [one for delta in deltas for one in delta.get("annotations") or ()]
    assert cited[0]["url_citation"]["url"] == "https://a"
    ends = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]]
    assert ends[-1] == "length"


def test_a_renamed_stream_names_the_other_model_alone() -> None:
    task = a_task(stream=True)
    reader = speaking(an_adapter(), task).stream_reader(task)
    first = reader.feed(b"".join(WORDS[:6]))
    out = reader.rename("mine", first) + reader.feed(b"".join(WORDS[6:])) + reader.close()
    assert b"command-a-03-2025" not in out
    assert b'"model":"mine"' in out
    assert b'"content":"Hello"' in out


def test_a_stream_that_stops_in_the_middle_is_broken() -> None:
    reader = an_adapter().stream_reader(a_task(stream=True))
    reader.feed(b"".join(WORDS[:6]))
    with pytest.raises(StreamBroken, match="in the middle"):
        reader.close()


def test_an_error_at_the_end_of_a_stream_is_one() -> None:
    failed = event("message-end", {"finish_reason": "ERROR", "error": "out of memory"})
    reader = an_adapter().stream_reader(a_task(stream=True))
    with pytest.raises(ServerFailed, match="out of memory"):
        reader.feed(WORDS[0] + failed)


def test_what_is_no_stream_is_a_failure() -> None:
    reader = an_adapter().stream_reader(a_task(stream=True))
    reader.feed(b"<html>no</html>\n\n")
    with pytest.raises(ServerFailed, match="not a stream"):
        reader.close()


def test_an_unknown_model_takes_the_deployment_out() -> None:
    body = b'{"id":"x","message":"model \'command-z\' not found, make sure the name is correct"}'
    error = an_adapter().error(404, {}, body)
    assert type(error) is OutOfService
    assert "command-z" in error.message


@pytest.mark.parametrize("call", calls("cohere"))
def test_the_recorded_answer_is_read_as_it_was_meant(call: Interaction) -> None:
    answer = json.loads(call.answered)
    task = replace(a_task(), model="command-a-reasoning-08-2025")
    reply = speaking(an_adapter(), task).reply(call.answered, task)
    thought, text = answer["message"]["content"]
    message = json.loads(reply.body)["choices"][0]["message"]
    assert message["content"] == text["text"]
    assert message["reasoning_content"] == thought["thinking"]
    billed = answer["usage"]["billed_units"]
    assert reply.usage == Usage(
        input_tokens=billed["input_tokens"], output_tokens=billed["output_tokens"]
    )
    assert reply.completion().finish_reason == "stop"
