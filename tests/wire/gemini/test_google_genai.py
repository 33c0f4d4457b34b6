"""Google's own client reads what is written for it, and is read as it means it."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from msgspec import Raw

from tierwise.errors import InvalidRequest, Overloaded, ServerFailed, TierwiseError
from tierwise.types import Usage
from tierwise.wire.conversation import (
    Citation,
    Conversation,
    Image,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
)
from tierwise.wire.gemini import GEMINI
from tierwise.wire.spoken import (
    Began,
    Choice,
    Cited,
    Counted,
    Ended,
    Event,
    ReasoningPiece,
    Spoken,
    TextPiece,
    ToolBegan,
    ToolPiece,
)

genai: Any = pytest.importorskip("google.genai", reason="google-genai is not installed")

USAGE = Usage(input_tokens=10, output_tokens=7, cached_input_tokens=4, reasoning_tokens=2)
CALL = ToolCall(id="call_1", name="weather", arguments='{"city":"Paris","days":[1,2]}')


class Gateway:
    """Answers as it is told, in Gemini's dialect; `asked` is what it was asked last."""

    def __init__(self) -> None:
        self.answer: Spoken | list[list[Event]] | TierwiseError = []
        self.error: TierwiseError | None = None
        self.asked: Conversation | None = None
        self.base_url = ""

    def respond(self, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        try:
            self.asked = GEMINI.read_request(body)
        except TierwiseError as error:
            return GEMINI.error(error)
        if isinstance(self.answer, TierwiseError):
            return GEMINI.error(self.answer)
        if isinstance(self.answer, Spoken):
            return 200, GEMINI.write_reply(self.answer, self.asked), {}
        writer = GEMINI.event_writer(self.asked)
        out = b"".join(writer.write(events) for events in self.answer)
        out += GEMINI.error_event(self.error) if self.error is not None else writer.close()
        return 200, out, {"content-type": "text/event-stream"}


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    running = Gateway()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status, out, headers = running.respond(body)
            self.send_response(status)
            for name, value in {"content-type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(out)))
            self.end_headers()
            self.wfile.write(out)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    running.base_url = f"http://127.0.0.1:{server.server_port}"
    yield running
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(gateway: Gateway) -> Any:
    return genai.Client(
        api_key="any",
        http_options={"base_url": gateway.base_url, "retry_options": {"attempts": 1}},
    )


def spoken(*parts: Any, finish: Any = "stop", **fields: Any) -> Spoken:
    choice = Choice(parts=parts, finish=finish, **fields)
    return Spoken(id="r1", model="small", choices=(choice,), usage=USAGE)


def asked_of(gateway: Gateway) -> Conversation:
    assert gateway.asked is not None
    return gateway.asked


def test_an_answer_is_read(gateway: Gateway, client: Any) -> None:
    gateway.answer = spoken(Text(text="It is "), Text(text="Paris."))
    got = client.models.generate_content(model="auto", contents="What is the capital?")
    assert got.text == "It is Paris."
    assert got.model_version == "small"
    assert got.response_id == "r1"
    assert got.candidates[0].finish_reason.name == "STOP"
    usage = got.usage_metadata
    assert usage.prompt_token_count == 10
    assert usage.candidates_token_count == 5
    assert usage.thoughts_token_count == 2
    assert usage.cached_content_token_count == 4
    assert usage.total_token_count == 17
    (turn,) = asked_of(gateway).turns
    assert turn.role == "user"
    assert turn.parts == (Text(text="What is the capital?"),)


def test_everything_that_is_asked_for_arrives(gateway: Gateway, client: Any) -> None:
    gateway.answer = spoken(Text(text="{}"))
    types = genai.types
    client.models.generate_content(
        model="auto",
        contents=[
            types.Part.from_bytes(data=b"png", mime_type="image/png"),
            types.Part.from_uri(file_uri="https://example.org/a.pdf", mime_type="application/pdf"),
            "What is it?",
        ],
        config=types.GenerateContentConfig(
            system_instruction="Be brief.",
            temperature=0.5,
            top_p=0.9,
            top_k=40,
            seed=7,
            max_output_tokens=100,
            stop_sequences=["END"],
            candidate_count=2,
            presence_penalty=0.1,
            frequency_penalty=0.2,
            response_logprobs=True,
            logprobs=3,
            response_mime_type="application/json",
            response_schema={"type": "OBJECT", "properties": {"a": {"type": "STRING"}}},
            thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=512),
            media_resolution="MEDIA_RESOLUTION_LOW",
            safety_settings=[
                types.SafetySetting(
                    category="HARM_CATEGORY_HARASSMENT", threshold="BLOCK_ONLY_HIGH"
                )
            ],
            cached_content="cachedContents/abc",
        ),
    )
    asked = asked_of(gateway)
    system, turn = asked.turns
    assert (system.role, system.parts) == ("system", (Text(text="Be brief."),))
    image, document, text = turn.parts
    assert isinstance(image, Image)
    assert base64.b64decode(image.source.data or "") == b"png"
    assert getattr(document, "source").url == "https://example.org/a.pdf"  # noqa: B009
    assert text == Text(text="What is it?")
    sampling = asked.sampling
    assert (sampling.temperature, sampling.top_p, sampling.top_k) == (0.5, 0.9, 40)
    assert (sampling.seed, sampling.presence_penalty, sampling.frequency_penalty) == (7, 0.1, 0.2)
    assert (asked.max_tokens, asked.stop, asked.choices) == (100, ("END",), 2)
    assert (asked.logprobs, asked.top_logprobs) == (True, 3)
    assert asked.format is not None
    schema = json.loads(bytes(asked.format.schema))
    assert schema["type"] == "object"
    assert schema["properties"] == {"a": {"type": "string"}}
    assert asked.thinking is not None
    assert (asked.thinking.budget, asked.thinking.shown) == (512, True)
    assert json.loads(bytes(asked.safety))[0]["threshold"] == "BLOCK_ONLY_HIGH"
    assert asked.own == {"cachedContent": Raw(b'"cachedContents/abc"')}
    assert asked.hints == {
        "generationConfig.mediaResolution": Raw(b'"MEDIA_RESOLUTION_LOW"'),
    }


def weather(city: str, days: list[int]) -> str:
    """The weather in a city."""
    return f"sunny in {city} on {days}"


def test_a_tool_is_called_over_two_turns(gateway: Gateway, client: Any) -> None:
    replies = [spoken(CALL, finish="tool_calls"), spoken(Text(text="Sunny."))]
    respond: Callable[..., Any] = gateway.respond

    def one_after_another(body: bytes) -> Any:
        gateway.answer = replies.pop(0)
        return respond(body)

    gateway.respond = one_after_another  # type: ignore[method-assign]
    got = client.models.generate_content(
        model="auto", contents="Weather?", config={"tools": [weather]}
    )
    assert got.text == "Sunny."
    asked = asked_of(gateway)
    assert [tool.name for tool in asked.tools] == ["weather"]
    schema = json.loads(bytes(asked.tools[0].parameters))
    assert schema["properties"]["days"]["type"] == "array"
    _, called, answered = asked.turns
    (call,), (result,) = called.parts, answered.parts
    assert isinstance(call, ToolCall)
    assert (call.id, json.loads(call.arguments)) == ("call_1", {"city": "Paris", "days": [1, 2]})
    assert answered.role == "tool"
    assert isinstance(result, ToolResult)
    assert (result.call_id, result.name) == ("call_1", "weather")
    (said,) = result.parts
    assert isinstance(said, Text)
    assert "sunny in Paris" in said.text


def test_thoughts_and_signatures_are_read_where_they_were_asked_for(
    gateway: Gateway, client: Any
) -> None:
    signature = base64.b64encode(b"signed").decode()
    gateway.answer = spoken(
        Reasoning(text="Hm."), Text(text="Yes.", signature=signature, origin="gemini")
    )
    shown = client.models.generate_content(
        model="auto",
        contents="?",
        config={"thinking_config": {"include_thoughts": True}},
    )
    thought, text = shown.candidates[0].content.parts
    assert (thought.text, thought.thought) == ("Hm.", True)
    assert (text.text, text.thought_signature) == ("Yes.", b"signed")
    hidden = client.models.generate_content(model="auto", contents="?")
    assert [part.text for part in hidden.candidates[0].content.parts] == ["Yes."]


def test_citations_are_read(gateway: Gateway, client: Any) -> None:
    citation = Citation(url="https://a.example", title="A", start=4, end=9, origin="anthropic")
    gateway.answer = spoken(Text(text="Où? Paris.", citations=(citation,)))
    got = client.models.generate_content(model="auto", contents="?")
    grounding = got.candidates[0].grounding_metadata
    assert grounding.grounding_chunks[0].web.uri == "https://a.example"
    segment = grounding.grounding_supports[0].segment
    assert "Où? Paris.".encode()[segment.start_index : segment.end_index] == b"Paris"


STREAM: list[list[Event]] = [
    [Began(id="r1", model="small")],
    [ReasoningPiece(text="Hm.", begins=True)],
    [TextPiece(text="It is "), TextPiece(text="Paris.")],
    [ToolBegan(call=0, id="call_1", name="weather"), ToolPiece(call=0, arguments='{"city":')],
    [ToolPiece(call=0, arguments='"Paris"}')],
    [Cited(citation=Citation(url="https://a.example", start=6, end=11))],
    [Ended(finish="tool_calls")],
    [Counted(usage=USAGE)],
]


def test_a_stream_is_read(gateway: Gateway, client: Any) -> None:
    gateway.answer = STREAM
    chunks = list(client.models.generate_content_stream(model="auto", contents="?"))
    assert "".join(chunk.text or "" for chunk in chunks) == "It is Paris."
    assert {chunk.response_id for chunk in chunks} == {"r1"}
    assert {chunk.model_version for chunk in chunks} == {"small"}
    calls = [call for chunk in chunks for call in chunk.function_calls or ()]
    assert [(call.id, call.name, call.args) for call in calls] == [
        ("call_1", "weather", {"city": "Paris"})
    ]
    last = chunks[-1]
    assert last.candidates[0].finish_reason.name == "STOP"
    assert last.usage_metadata.total_token_count == 17
    chunk = last.candidates[0].grounding_metadata.grounding_chunks[0]
    assert chunk.web.uri == "https://a.example"


def test_a_stream_that_ends_with_an_error_says_so(gateway: Gateway, client: Any) -> None:
    gateway.answer = STREAM[:3]
    gateway.error = ServerFailed("the provider went away", status=503)
    with pytest.raises(genai.errors.ServerError, match="went away") as caught:
        list(client.models.generate_content_stream(model="auto", contents="?"))
    assert caught.value.code == 503


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (InvalidRequest("`x` is wrong", param="contents[0]"), 400, "INVALID_ARGUMENT"),
        (Overloaded("too many", retry_after=2.5), 429, "RESOURCE_EXHAUSTED"),
    ],
)
def test_errors_are_read(
    gateway: Gateway, client: Any, error: TierwiseError, code: int, status: str
) -> None:
    gateway.answer = error
    with pytest.raises(genai.errors.ClientError) as caught:
        client.models.generate_content(model="auto", contents="?")
    assert (caught.value.code, caught.value.status) == (code, status)
    assert caught.value.message == str(error)
