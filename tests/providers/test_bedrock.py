"""Bedrock's Converse is asked, and what it answers becomes what any client reads."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import a_deployment, a_task
from converse import a_stream, an_answer, frame, framed
from tierwise.errors import (
    ConfigError,
    ContextTooLong,
    OutOfService,
    RateLimited,
    ServerFailed,
    StreamBroken,
    UpstreamError,
    UpstreamRejected,
)
from tierwise.providers import load_adapter
from tierwise.providers.bedrock import Bedrock
from tierwise.types import Aws, Deployment, Task, Usage
from tierwise.wire.bedrock import BEDROCK

MODEL = "us.amazon.nova-micro-v1:0"
KEY = "bedrock-api-key-of-ours"


def a_place(**fields: Any) -> Deployment:
    defaults: dict[str, Any] = {
        "dialect": "bedrock",
        "base_url": "https://bedrock-runtime.{region}.amazonaws.com",
        "upstream_model": MODEL,
        "api_key": KEY,
        "region": "eu-central-1",
    }
    return a_deployment("nova-micro", "bedrock", **{**defaults, **fields})


def a_converse_task(stream: bool = False) -> Task:
    body = b'{"messages":[]}'
    return Task(body=body, model="auto", messages=[], dialect="bedrock", stream=stream)


def adapter(**fields: Any) -> Bedrock:
    return Bedrock(a_place(**fields))


def read(*reads: bytes, keep: bool = False) -> tuple[bytes, Any]:
    reader = adapter().stream_reader(a_converse_task(stream=True), keep=keep)
    return b"".join([*(reader.feed(data) for data in reads), reader.close()]), reader


def text_of(block: bytes) -> str:
    return "".join(getattr(event, "text", "") for event in BEDROCK.event_reader().read(block))


def test_it_is_found_by_its_name() -> None:
    assert load_adapter("bedrock") is Bedrock
    assert Bedrock.speaks == "bedrock"


def test_a_bearer_key_needs_no_signature() -> None:
    call = adapter().request(a_converse_task())
    assert call.url == (
        "https://bedrock-runtime.eu-central-1.amazonaws.com/model/us.amazon.nova-micro-v1%3A0/converse"
    )
    assert call.headers["authorization"] == f"Bearer {KEY}"
    assert call.authorise is None
    assert adapter().request(a_converse_task(stream=True)).url.endswith("/converse-stream")


def test_the_key_of_the_environment_is_used_unless_credentials_are_configured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "from-outside")
    call = adapter(api_key=None).request(a_converse_task())
    assert call.headers["authorization"] == "Bearer from-outside"
    guarded = adapter(api_key=None, aws=Aws(guardrail="g:1")).request(a_converse_task())
    assert guarded.headers["authorization"] == "Bearer from-outside"


def test_an_arn_is_one_piece_of_the_path() -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
    assert "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication" in (
        adapter(upstream_model=arn).request(a_converse_task()).url
    )
    assert "profile%2Fabc/converse" in adapter(upstream_model=arn).request(a_converse_task()).url


def test_the_region_comes_from_awss_own_variable_or_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="region") as caught:
        adapter(region=None)
    assert caught.value.field == "providers.bedrock.region"
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    assert ".us-west-2." in adapter(region=None).request(a_converse_task()).url


def test_configured_guardrails_and_latency_are_added() -> None:
    made = adapter(
        aws=Aws(guardrail="arn:aws:bedrock:eu:1:guardrail/g:7"),
        quirks=frozenset({"latency-optimized"}),
    )
    body = json.loads(made.request(a_converse_task()).body or b"")
    assert body["guardrailConfig"] == {
        "guardrailIdentifier": "arn:aws:bedrock:eu:1:guardrail/g",
        "guardrailVersion": "7",
    }
    assert body["performanceConfig"] == {"latency": "optimized"}


def test_a_model_that_can_goes_on_from_the_beginning_of_its_answer() -> None:
    begun = adapter().prefilled(a_task("Count."), "One, two,")
    assert begun is not None
    assert json.loads(begun.body)["messages"][-1] == {"role": "assistant", "content": "One, two,"}
    assert adapter().prefilled(a_task("Count."), "One, two, ") is None
    form = {"type": "json_object"}
    assert adapter().prefilled(a_task("Count.", response_format=form), "{") is None
    for model in ("us.meta.llama4-scout-17b-instruct-v1:0", "us.anthropic.claude-sonnet-4-6"):
        assert adapter(upstream_model=model).prefilled(a_task("Count."), "One,") is None


def test_what_its_model_does_not_take_is_told() -> None:
    assert "json_schema" in adapter().lacks


def test_a_whole_answer_names_the_model_that_was_asked() -> None:
    reply = adapter().reply(json.dumps(an_answer({"text": "Paris"})).encode(), a_converse_task())
    assert reply.reported_model == MODEL
    assert reply.usage == Usage(input_tokens=5, output_tokens=3)
    assert reply.completion().text == "Paris"
    assert reply.completion().finish_reason == "stop"
    spoken = BEDROCK.read_reply(reply.body)
    assert spoken.model == MODEL
    reply.rename("nova-micro")
    assert BEDROCK.read_reply(reply.body).model == "nova-micro"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"<html>", b"\xff", b'{"message": "no"}'])
def test_what_is_no_answer_is_the_servers_failure(body: bytes) -> None:
    with pytest.raises(ServerFailed):
        adapter().reply(body, a_converse_task())


@pytest.mark.parametrize("reason", ["malformed_model_output", "malformed_tool_use"])
def test_a_malformed_answer_is_the_servers_failure(reason: str) -> None:
    with pytest.raises(ServerFailed, match=reason):
        adapter().reply(json.dumps(an_answer(stopReason=reason)).encode(), a_converse_task())
    with pytest.raises(ServerFailed, match=reason):
        read(*a_stream("a")[:2], frame("messageStop", {"stopReason": reason}))


def test_frames_become_events_and_usage_is_read_along() -> None:
    block, reader = read(*a_stream("Par", "is"), keep=True)
    assert text_of(block) == "Paris"
    assert block.count(b"\n\n") == len(a_stream("Par", "is"))
    assert reader.usage == Usage(input_tokens=5, output_tokens=3)
    assert (reader.started, reader.finished, reader.output_chars) == (True, True, 8)
    assert reader.reported_model == MODEL
    assert (reader.completion().text, reader.completion().finish_reason) == ("Paris", "stop")


@settings(deadline=None)
@given(st.lists(st.text(), max_size=5), st.integers())
def test_a_stream_is_the_same_wherever_it_is_cut(texts: list[str], seed: int) -> None:
    stream = b"".join(a_stream(*texts))
    chance = random.Random(seed)
    cuts = sorted(chance.randrange(len(stream)) for _ in range(8))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert text_of(read(*pieces)[0]) == "".join(texts)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4)), max_size=4))
def test_whatever_comes_is_read_or_is_an_upstream_error(changes: list[tuple[float, bytes]]) -> None:
    stream = b"".join(a_stream("a", "b"))
    for place, data in changes:
        at = int(place * len(stream))
        stream = stream[:at] + data + stream[at + 1 :]
    try:
        text_of(read(stream, keep=True)[0])
    except UpstreamError:
        return


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KINDS = ("text", "toolUse", "reasoningContent", "citationsContent", "image", "else")


@settings(deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(KINDS), JSON)), JSON, JSON)
def test_any_answer_is_read_or_is_the_servers_failure(
    content: list[dict[str, Any]], usage: Any, more: Any
) -> None:
    answer = an_answer(*content, usage=usage, additionalModelResponseFields=more)
    try:
        reply = adapter().reply(json.dumps(answer).encode(), a_converse_task())
        reply.completion()
    except ServerFailed:
        return
    BEDROCK.read_reply(reply.body)


def test_a_renamed_stream_names_the_model() -> None:
    reader = adapter().stream_reader(a_converse_task(stream=True))
    first = reader.rename("mine", reader.feed(a_stream()[0]))
    assert BEDROCK.event_reader().read(first)[0].model == "mine"  # type: ignore[union-attr]


def test_line_ends_within_a_payload_do_not_end_the_event() -> None:
    pretty = json.dumps({"contentBlockIndex": 0, "delta": {"text": "a\nb"}}, indent=1).encode()
    first, *rest = a_stream()
    block, _ = read(first, frame("contentBlockDelta", pretty), *rest)
    assert text_of(block) == "a\nb"


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("throttlingException", RateLimited),
        ("modelStreamErrorException", ServerFailed),
        ("internalServerException", ServerFailed),
        ("serviceUnavailableException", ServerFailed),
        ("modelTimeoutException", ServerFailed),
        ("validationException", UpstreamRejected),
        ("somethingNewException", ServerFailed),
    ],
)
def test_an_exception_in_the_stream_is_what_it_says(name: str, error: type[UpstreamError]) -> None:
    with pytest.raises(error, match="too bad") as caught:
        read(*a_stream("a")[:2], frame(name, {"message": f"too bad {KEY}"}, "exception"))
    assert type(caught.value) is error
    assert KEY not in caught.value.message


def test_an_error_frame_says_it_in_its_headers() -> None:
    headers = {":message-type": "error", ":error-code": "throttling", ":error-message": "slow down"}
    with pytest.raises(RateLimited, match="slow down"):
        read(framed(headers, b""))


def test_a_stream_that_ends_early_is_broken() -> None:
    whole = a_stream("a", "b")
    for frames, where in ((whole[:3], "in the middle"), ([], "before its first")):
        with pytest.raises(StreamBroken, match=where):
            read(*frames)
    with pytest.raises(StreamBroken, match="in the middle"):
        read(*whole[:3], whole[3][:-1])


def test_the_answer_is_whole_though_the_usage_is_missing() -> None:
    block, reader = read(*a_stream("a")[:-1])
    assert text_of(block) == "a"
    assert reader.finished
    assert reader.usage is None


def test_a_damaged_frame_in_the_middle_is_the_servers_failure() -> None:
    with pytest.raises(ServerFailed, match="cannot be read"):
        read(*a_stream("a")[:2], b"x" * 100)


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        (b'{"message": "overloaded, please wait"}', ServerFailed, "overloaded"),
        (b'{"__type": "ThrottlingException", "message": "slow"}', RateLimited, "slow"),
        (b"<html>a proxy's page</html>", ServerFailed, "not a stream but begins with <html>"),
        (b"{}", ServerFailed, "not a stream"),
    ],
)
def test_what_is_no_stream_is_told_as_it_is(
    body: bytes, error: type[UpstreamError], words: str
) -> None:
    with pytest.raises(error, match=words):
        read(body)


@pytest.mark.parametrize(
    ("status", "headers", "body", "error"),
    [
        (429, {"x-amzn-errortype": "ThrottlingException:http://x/"}, {"message": "Too many tokens, "
         "please wait before trying again."}, RateLimited),
        (400, {"x-amzn-errortype": "ServiceQuotaExceededException"}, {"message": "q"}, RateLimited),
        (400, {}, {"__type": "com.amazon#ValidationException", "message":
         "Input is too long for requested model."}, ContextTooLong),
        (400, {}, {"message": "The provided model identifier is invalid."}, OutOfService),
        (400, {}, {"message": "Invoking model x with on-demand throughput isn’t supported."},
         OutOfService),
        (403, {"x-amzn-errortype": "AccessDeniedException"}, {"Message": "no"}, OutOfService),
        (403, {}, {"message": "The security token included in the request is expired"},
         OutOfService),
        (404, {"x-amzn-errortype": "ResourceNotFoundException"}, {"message": "m"}, OutOfService),
        (424, {"x-amzn-errortype": "ModelErrorException"}, {"message": "m"}, ServerFailed),
        (408, {"x-amzn-errortype": "ModelTimeoutException"}, {"message": "m"}, ServerFailed),
        (503, {}, {"message": "m"}, ServerFailed),
        (400, {"x-amzn-errortype": "ValidationException"}, {"message": "bad topP"},
         UpstreamRejected),
        (502, {}, "no JSON", ServerFailed),
    ],
)  # fmt: skip
def test_errors_are_told_apart(
    status: int, headers: dict[str, str], body: Any, error: type[UpstreamError]
) -> None:
    found = adapter().error(status, headers, json.dumps(body).encode())
    assert type(found) is error
    if isinstance(body, dict):
        assert found.message in body.values()
    assert found.body is None


def test_no_error_quotes_a_secret() -> None:
    aws = Aws(access_key_id="AKIA", secret_access_key="wJalrXUtnFEMI", session_token="FwoGZXIvYX")
    place = a_place(aws=aws, headers=(("x-api-token", "a-header-token"),))
    body = json.dumps({"message": f"{KEY} wJalrXUtnFEMI FwoGZXIvYX a-header-token"}).encode()
    assert Bedrock(place).error(400, {}, body).message == " ".join(["[redacted]"] * 4)
    assert "wJalr" not in repr(aws) + repr(place)


def test_a_chat_request_is_asked_and_answered_through_a_translation() -> None:
    from tierwise.providers.translating import speaking

    task = a_task("What is the capital of France?", max_tokens=9)
    made = speaking(adapter(), task)
    body = json.loads(made.request(task).body or b"")
    assert body == {
        "messages": [{"role": "user", "content": [{"text": "What is the capital of France?"}]}],
        "inferenceConfig": {"maxTokens": 9},
    }
    reply = made.reply(json.dumps(an_answer({"text": "Paris"})).encode(), task)
    assert json.loads(reply.body)["choices"][0]["message"]["content"] == "Paris"
