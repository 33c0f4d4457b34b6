"""Clients of OpenAI's Responses: answers that are kept and gone on from."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway import KEY, Body, Provider, Reply, RunningGateway, call, config_for, pauses, says
from tierwise.errors import AllPathsFailed
from tierwise.server.keys import Client
from tierwise.server.responses import ResponsesSpeech
from tierwise.state.kept_responses import InProcess, Kept

PATH = "/v1/responses"


def ask(url: str, text: Any = "Hello", *, key: str = KEY, **rest: Any) -> Reply:
    headers = rest.pop("headers", None)
    body = {"model": "small", "input": text, **rest}
    return call(url, "POST", PATH, body, key=key, headers=headers)


def text_of(response: Body) -> str:
    return "".join(
        part["text"]
        for item in response["output"]
        if item["type"] == "message"
        for part in item["content"]
    )


def test_a_response_is_answered(gateway: RunningGateway, provider: Provider) -> None:
    provider.acts["small"] = says("Good day", tokens=(12, 3))
    reply = ask(gateway.url)
    assert (reply.status, reply.json["object"], reply.json["status"]) == (
        200,
        "response",
        "completed",
    )
    assert (text_of(reply.json), reply.json["model"]) == ("Good day", "small")
    assert reply.json["usage"]["input_tokens"] == 12


def test_a_request_goes_on_from_an_earlier_answer(
    gateway: RunningGateway, provider: Provider
) -> None:
    provider.acts["small"] = says("I am well")
    first = ask(gateway.url, "How are you?").json
    second = ask(gateway.url, "And now?", previous_response_id=first["id"])
    assert second.json["previous_response_id"] == first["id"]
    expected = [("user", "How are you?"), ("assistant", "I am well"), ("user", "And now?")]
    assert provider.seen[-1].said == expected
    ask(gateway.url, "Still?", previous_response_id=second.json["id"])
    assert provider.seen[-1].said == [*expected, ("assistant", "I am well"), ("user", "Still?")]


def test_a_stream_is_kept_as_well(gateway: RunningGateway, provider: Provider) -> None:
    provider.acts["small"] = says("I am well")
    first = ask(gateway.url, "How are you?", stream=True)
    blocks = [one for one in first.body.decode().split("\n\n") if one.startswith("event:")]
    last = json.loads(blocks[-1].partition("data: ")[2])
    assert last["type"] == "response.completed"
    second = ask(gateway.url, "And now?", previous_response_id=last["response"]["id"], stream=True)
    assert provider.seen[-1].said[:2] == [("user", "How are you?"), ("assistant", "I am well")]
    name = json.dumps(last["response"]["id"])
    assert f'"previous_response_id":{name}' in second.body.decode().replace(": ", ":")


def test_calls_of_tools_survive(gateway: RunningGateway, provider: Provider) -> None:
    provider.acts["small"] = says(tool=("weather", '{"city":"Oslo"}'))
    tools = [{"type": "function", "name": "weather", "parameters": {"type": "object"}}]
    first = ask(gateway.url, "Weather?", tools=tools).json
    [called] = [item for item in first["output"] if item["type"] == "function_call"]
    result = {"type": "function_call_output", "call_id": called["call_id"], "output": "sunny"}
    provider.acts["small"] = says("It is sunny")
    second = ask(gateway.url, [result], tools=tools, previous_response_id=first["id"])
    assert second.status == 200
    sent = provider.seen[-1].body["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "tool"]
    assert sent[1]["tool_calls"][0]["function"]["arguments"] == '{"city":"Oslo"}'


def test_items_are_named_in_place_of_being_sent(
    gateway: RunningGateway, provider: Provider
) -> None:
    provider.acts["small"] = says("I am well")
    first = ask(gateway.url, "How are you?").json
    reference = {"type": "item_reference", "id": first["output"][-1]["id"]}
    again = {"role": "user", "content": "And now?"}
    assert ask(gateway.url, [reference, again]).status == 200
    assert provider.seen[-1].said == [("assistant", "I am well"), ("user", "And now?")]
    unknown = ask(gateway.url, [{"type": "item_reference", "id": "msg_none"}, again])
    assert (unknown.status, unknown.error["param"]) == (404, "input[0].id")


def test_a_kept_answer_is_given_listed_and_forgotten(gateway: RunningGateway) -> None:
    first = ask(gateway.url, "How are you?").json
    one = f"{PATH}/{first['id']}"
    assert call(gateway.url, "GET", one).json == first
    items = call(gateway.url, "GET", f"{one}/input_items").json
    assert (items["object"], items["has_more"], len(items["data"])) == ("list", False, 1)
    assert items["data"][0]["role"] == "user"
    assert items["first_id"] == items["last_id"] == items["data"][0]["id"]
    gone = call(gateway.url, "DELETE", one)
    assert gone.json == {"id": first["id"], "object": "response", "deleted": True}
    for method in ("GET", "DELETE"):
        reply = call(gateway.url, method, one)
        assert (reply.status, reply.error["type"]) == (404, "invalid_request_error")
        assert reply.error["message"] == f"Response with id '{first['id']}' not found."


def texts_of(page: Body) -> list[str]:
    return ["".join(part["text"] for part in item["content"]) for item in page["data"]]


def test_words_are_listed_as_parts_however_they_were_sent(gateway: RunningGateway) -> None:
    said = {"type": "output_text", "text": "I am well", "annotations": []}
    parts = [{"type": "input_text", "text": "And now?"}]
    given = [
        {"role": "developer", "content": "Be brief"},
        {"role": "assistant", "content": "I am well"},
        {"role": "user", "content": parts, "id": "msg_mine"},
    ]
    one = f"{PATH}/{ask(gateway.url, given).json['id']}/input_items?order=asc"
    listed = call(gateway.url, "GET", one).json["data"]
    assert [item["content"] for item in listed] == [
        [{"type": "input_text", "text": "Be brief"}],
        [said],
        parts,
    ]
    assert [(item["type"], item["id"]) for item in listed] == [
        ("message", "msg_0"),
        ("message", "msg_1"),
        ("message", "msg_mine"),
    ]


def test_items_come_in_pages_the_latest_first(gateway: RunningGateway) -> None:
    given = [{"role": "user", "content": str(n)} for n in range(5)]
    one = f"{PATH}/{ask(gateway.url, given).json['id']}/input_items"
    first = call(gateway.url, "GET", f"{one}?limit=2").json
    assert texts_of(first) == ["4", "3"]
    rest = call(gateway.url, "GET", f"{one}?limit=3&after={first['last_id']}").json
    assert texts_of(rest) == ["2", "1", "0"]
    assert (first["has_more"], rest["has_more"]) == (True, False)
    forward = call(gateway.url, "GET", f"{one}?order=asc&limit=1").json
    assert texts_of(forward) == ["0"]
    assert call(gateway.url, "GET", f"{one}?limit=0").status == 400


def test_an_unknown_answer_cannot_be_gone_on_from(
    gateway: RunningGateway, provider: Provider
) -> None:
    reply = ask(gateway.url, previous_response_id="resp_none")
    assert (reply.status, reply.error["code"]) == (400, "previous_response_not_found")
    assert reply.error["param"] == "previous_response_id"
    assert reply.error["message"].startswith("Previous response with id 'resp_none' not found.")
    assert not provider.seen


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("previous_response_id", 5, "a string"),
        ("previous_response_id", {"id": "resp_1"}, "a string"),
        ("background", "yes", "true or false"),
        ("store", 1, "true or false"),
    ],
)
def test_a_field_of_the_wrong_type_is_told_the_right_one(
    gateway: RunningGateway, provider: Provider, field: str, value: object, kind: str
) -> None:
    reply = ask(gateway.url, **{field: value})
    assert (reply.status, reply.error["param"]) == (400, field)
    assert kind in reply.error["message"]
    assert not provider.seen


def test_what_is_not_to_be_stored_is_not(provider: Provider) -> None:
    with RunningGateway(config_for(provider.url, server={"api_keys": [KEY]})) as gateway:
        first = ask(gateway.url, store=False).json
        assert call(gateway.url, "GET", f"{PATH}/{first['id']}").status == 404
        assert ask(gateway.url, previous_response_id=first["id"]).status == 400


def test_answers_are_their_callers_alone(provider: Provider) -> None:
    data = config_for(provider.url, server={"api_keys": [KEY, "another-key"]})
    with RunningGateway(data) as gateway:
        first = ask(gateway.url).json
        one = f"{PATH}/{first['id']}"
        assert call(gateway.url, "GET", one, key="another-key").status == 404
        assert call(gateway.url, "DELETE", one, key="another-key").status == 404
        other = ask(gateway.url, key="another-key", previous_response_id=first["id"])
        assert (other.status, call(gateway.url, "GET", one).status) == (400, 200)


@pytest.mark.parametrize("rest", [{}, {"stream": True}, {"store": True}])
@pytest.mark.parametrize("drops", ["true", "false"])
def test_answers_in_the_background_are_refused(
    gateway: RunningGateway, provider: Provider, rest: Body, drops: str
) -> None:
    body = {"model": "small", "input": "Hello", "background": True, **rest}
    headers = {"x-tierwise-drop-unsupported": drops}  # left out, nobody would wait for the answer
    reply = call(gateway.url, "POST", PATH, body, headers=headers)
    assert (reply.status, reply.error["param"]) == (400, "background")
    assert reply.error["type"] == "invalid_request_error"
    assert "Leave `background` out" in reply.error["message"]
    assert "`stream: true`" in reply.error["message"]
    assert not provider.seen
    assert ask(gateway.url, background=False).status == 200


def test_making_a_conversation_short_is_said_not_to_be_offered(gateway: RunningGateway) -> None:
    reply = call(gateway.url, "POST", f"{PATH}/compact", {"model": "small", "input": "Hi"})
    assert (reply.status, reply.json["error"]["code"]) == (404, "unknown_path")
    assert "compact is not offered" in reply.json["error"]["message"]
    for method in ("GET", "DELETE"):  # there it is the id of an answer
        reply = call(gateway.url, method, f"{PATH}/compact")
        assert (reply.status, reply.json["error"]["code"]) != (404, "unknown_path")
        assert "compact" in reply.json["error"]["message"]


def test_tokens_are_counted(gateway: RunningGateway, provider: Provider) -> None:
    reply = call(gateway.url, "POST", f"{PATH}/input_tokens", {"input": "word " * 1000})
    assert (reply.status, reply.json["object"]) == (200, "response.input_tokens")
    assert 800 < reply.json["input_tokens"] < 2000
    assert not provider.seen


def test_what_a_request_goes_on_from_is_counted_too(gateway: RunningGateway) -> None:
    first = ask(gateway.url, "word " * 1000).json["id"]
    path = f"{PATH}/input_tokens"
    on = {"input": "And now?", "previous_response_id": first}
    assert call(gateway.url, "POST", path, on).json["input_tokens"] > 800
    alone = call(gateway.url, "POST", path, {"input": "And now?"})
    assert alone.json["input_tokens"] < 100
    unknown = call(gateway.url, "POST", path, {**on, "previous_response_id": "resp_none"})
    assert (unknown.status, unknown.error["code"]) == (400, "previous_response_not_found")
    assert call(gateway.url, "POST", path, on, key="unknown").status == 401


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"model": "small", "input": 5}', b"null"])
def test_wrong_bodies_are_said_to_be_wrong(gateway: RunningGateway, body: bytes) -> None:
    reply = call(gateway.url, "POST", PATH, body)
    assert (reply.status, reply.error["type"]) == (400, "invalid_request_error")


def test_a_field_whose_name_is_no_text_is_refused(gateway: RunningGateway) -> None:
    first = ask(gateway.url).json["id"].encode()
    body = b'{"model": "small", "input": "x", "previous_response_id": "%b", "\xe9": 1}' % first
    assert call(gateway.url, "POST", PATH, body).status == 400


async def test_thoughts_that_are_only_named_are_left_out_of_what_goes_on() -> None:
    store = InProcess()
    named = b'{"type":"reasoning","id":"rs_1","summary":[]}'
    whole = b'{"type":"reasoning","id":"rs_2","summary":[],"encrypted_content":"sealed"}'
    asked = b'{"type":"message","role":"user","content":"Hi"}'
    store.keep("me", "resp_1", Kept(b'{"output":[%b,%b]}' % (named, whole), b"[%b]" % asked))
    body = {"model": "small", "previous_response_id": "resp_1", "input": "And now?"}
    exchange = await ResponsesSpeech(store).read(json.dumps(body).encode(), {}, Client("me"))
    items = json.loads(exchange.task.body)["input"]
    assert [item.get("id", item["type"]) for item in items] == ["message", "rs_2", "message"]


@pytest.mark.parametrize("between", [b"", b" "])
async def test_events_say_what_an_answer_goes_on_from_however_a_provider_writes(
    between: bytes,
) -> None:
    store = InProcess()
    store.keep("me", "resp_1", Kept(b"{}", b"[]"))
    body = b'{"model":"small","previous_response_id":"resp_1","input":"And now?"}'
    exchange = await ResponsesSpeech(store).read(body, {}, Client("me"))
    event = b'data: {"type":"response.created","response":{"previous_response_id":%bnull}}\n\n'
    shown = json.loads(exchange.shown(event % between).removeprefix(b"data: "))
    assert shown["response"]["previous_response_id"] == "resp_1"


def test_the_event_of_an_error_goes_on_from_the_numbers_before(
    gateway: RunningGateway, provider: Provider
) -> None:
    provider.acts["small"] = pauses(provider, cut=True)
    provider.release.set()
    reply = ask(gateway.url, stream=True, headers={"x-tierwise-on-stream-break": "fail"})
    blocks = [one for one in reply.body.decode().split("\n\n") if one.startswith("event:")]
    told = [json.loads(one.partition("data: ")[2]) for one in blocks]
    assert len(told) > 2
    assert told[-1]["type"] == "error"
    assert [one["sequence_number"] for one in told] == [*range(len(told))]


async def test_an_error_is_numbered_after_a_providers_own_events_and_their_comments() -> None:
    body = b'{"model":"small","input":"Hi"}'
    exchange = await ResponsesSpeech(InProcess()).read(body, {}, Client("me"))

    def number() -> int:
        event = exchange.broken(AllPathsFailed(["a failed"]))
        found: int = json.loads(event.partition(b"data: ")[2])["sequence_number"]
        return found

    assert number() == 0
    word = rb'{"delta": "\"sequence_number\":99", "sequence_number": 7}'
    exchange.shown(b'data: {"sequence_number": 6}\n\ndata: %b\n\n: ping\n\n' % word)
    exchange.shown(b": ping\n\n")
    assert number() == 8
