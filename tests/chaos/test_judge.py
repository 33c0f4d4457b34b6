"""Transcripts made up by hand, and what is to be said of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tierwise.chaos.continued import Part, could_say
from tierwise.chaos.judge import Judged, judge
from tierwise.chaos.seen import Seen
from tierwise.fleet import Fleet

ITEM = Fleet.simulated(speed=0.0).workload(1)[0]
HEADERS = {"x-tierwise-model": "sim-small", "x-tierwise-deployment": "gamma/sim-small"}
SAID = "The answer is 42."


def chunk(delta: dict[str, Any], **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": more.pop("finish", None)}
    return {"id": "chatcmpl-1", "model": "sim-small", "choices": [choice], **more}


ROLE = chunk({"role": "assistant", "content": ""})
TEXT = [chunk({"content": "The answer"}), chunk({"content": " is 42."})]
FINISH = chunk({}, finish="stop")
USAGE = {"id": "chatcmpl-1", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 5}}
GOOD: list[Any] = [ROLE, *TEXT, FINISH, USAGE, "[DONE]"]


def sse(events: Sequence[Any]) -> bytes:
    texts = [event if isinstance(event, str) else json.dumps(event) for event in events]
    return b"".join(f"data: {text}\n\n".encode() for text in texts)


def seen(body: bytes, **more: Any) -> Seen:
    values: dict[str, Any] = {
        "number": 1, "item": ITEM, "stream": True, "at": 1.0, "latency_s": 0.5, "status": 200,
        "headers": HEADERS, "body": body,
    }  # fmt: skip
    return Seen(**{**values, **more})


def judged(body: bytes, **more: Any) -> Judged:
    return judge(seen(body, **more), lambda model: SAID if model == "sim-small" else "else")


def answer(text: str = SAID, **more: Any) -> bytes:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json.dumps({"choices": [choice], "usage": {"prompt_tokens": 3}, **more}).encode()


def test_a_whole_answer_that_is_its_models_is_right() -> None:
    found = judged(answer(), stream=False)
    assert (found.failed, found.wrong) == (None, ())
    assert (found.model, found.provider) == ("sim-small", "gamma")


def test_a_whole_stream_is_right() -> None:
    assert judged(sse(GOOD)) == Judged(model="sim-small", provider="gamma")


def test_one_letter_less_is_wrong() -> None:
    assert judged(answer(SAID[:-1]), stream=False).wrong
    assert judged(sse([ROLE, TEXT[0], FINISH, USAGE, "[DONE]"])).wrong


def test_text_that_comes_twice_is_wrong() -> None:
    assert judged(sse([ROLE, TEXT[0], *TEXT, FINISH, USAGE, "[DONE]"])).wrong


def test_the_text_of_another_model_is_wrong() -> None:
    assert judged(sse(GOOD), headers={**HEADERS, "x-tierwise-model": "sim-large"}).wrong


@pytest.mark.parametrize(
    ("events", "name"),
    [
        ([ROLE, *GOOD], "role"),
        (GOOD[1:], "role"),
        ([ROLE, *TEXT, FINISH, FINISH, USAGE, "[DONE]"], "finish_reason"),
        ([ROLE, *TEXT, FINISH, "[DONE]"], "usage"),
        ([*GOOD[:-1], USAGE, "[DONE]"], "usage"),
        (GOOD[:-1], "[DONE]"),
        ([*GOOD, "[DONE]"], "[DONE]"),
        ([*GOOD[:-1], {**USAGE, "id": "chatcmpl-2", "usage": None}, "[DONE]"], "id"),
        ([*GOOD, ROLE], "[DONE] is not the last"),
    ],
)
def test_each_part_of_a_stream_comes_exactly_once(events: list[Any], name: str) -> None:
    (wrong, *_) = judged(sse(events)).wrong
    assert name in " ".join([wrong, *_])


def test_a_stream_that_ends_in_an_error_event_has_failed() -> None:
    error = {"error": {"message": "the stream broke", "code": "stream_broken"}}
    found = judged(sse([ROLE, TEXT[0], error]))
    assert found.failed == "an error event: the stream broke"
    assert not found.clear


def test_a_connection_that_breaks_off_has_failed() -> None:
    assert judged(sse(GOOD[:3]), broke="ClientPayloadError").failed is not None


def test_no_connection_has_failed() -> None:
    assert judged(b"", status=0, headers={}, broke="refused").failed == "no answer: refused"


def test_a_503_with_the_reason_of_each_path_is_clear() -> None:
    body = {"error": {"message": "gamma/sim-small: connect: refused", "code": "all_paths_failed"}}
    found = judged(json.dumps(body).encode(), status=503)
    assert found.failed is not None
    assert found.clear


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b'{"error": {"message": "a: b", "code": "all_paths_failed"}}'),
        (503, b'{"error": {"message": "no", "code": "all_paths_failed"}}'),
        (503, b"<html>"),
        (503, b"[]"),
    ],
)
def test_other_failures_are_not_clear(status: int, body: bytes) -> None:
    found = judged(body, status=status)
    assert found.failed is not None
    assert not found.clear


def test_who_answered_is_also_read_from_the_comments_of_a_stream() -> None:
    comments = b": x-tierwise-model: sim-small\n: x-tierwise-deployment: gamma/sim-small\n\n"
    assert judged(comments + sse(GOOD), headers={}).wrong == ()


def test_a_stream_of_which_nobody_knows_whose_it_is_is_wrong() -> None:
    assert judged(sse(GOOD), headers={}).wrong


def test_tool_calls_are_joined_from_their_parts() -> None:
    parts = [
        chunk({"role": "assistant", "tool_calls": [
            {"index": 0, "id": "c", "function": {"name": "f", "arguments": ""}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"a":'}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]}),
    ]  # fmt: skip
    body = sse([*parts, FINISH, USAGE, "[DONE]"])
    found = judge(seen(body), lambda _: '{"name":"f","arguments":{"a":1}}')
    assert found.wrong == ()


@pytest.mark.parametrize("body", [b"not json", b"[]", b"{}", b'{"choices": []}'])
def test_what_cannot_be_read_is_wrong(body: bytes) -> None:
    assert judged(body, stream=False).wrong


OWN = {"a": "One two three four five.", "b": "One two three five six."}
NOTE = b": tierwise continued by beta/b after 14 characters\n\n"


def going_on(text: str) -> Judged:
    body = sse([ROLE, chunk({"content": text}), FINISH, USAGE]) + NOTE + sse(["[DONE]"])
    headers = {"x-tierwise-model": "a", "x-tierwise-deployment": "alpha/a"}
    return judge(seen(body, headers=headers), lambda model: OWN[model])


@pytest.mark.parametrize(
    "text",
    [
        "One two three five six.",  # the second would have begun in the same way
        "One two three  five six.",
    ],
)
def test_a_continued_stream_may_be_what_the_second_model_makes_of_it(text: str) -> None:
    found = going_on(text)
    assert found.continued
    assert found.provider == "beta"
    assert (found.wrong == ()) is ("  " not in text)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("One two three four five.", True),
        ("One two three four One two three five six.", True),
        ("One two three four ne two three five six.", False),
        ("One two three fourth One two three five six.", False),
        ("One two three four", False),
    ],
)
def test_one_that_would_have_said_else_says_all_of_its_own_after_what_was_said(
    text: str, right: bool
) -> None:
    after = len("One two three four ") if "four " in text else len("One two three four")
    parts = [Part("alpha/a"), Part("beta/b", after)]
    if text == OWN["a"]:
        parts = [Part("alpha/a"), Part("beta/a", after)]
    assert could_say(text, parts, lambda model: OWN[model]) is right


def test_words_that_both_sides_of_a_joint_have_need_not_come_twice() -> None:
    own = {"a": "It is seven.", "b": "is eight."}
    parts = [Part("alpha/a"), Part("beta/b", len("It is"))]
    assert could_say("It is eight.", parts, lambda model: own[model])
    assert could_say("It isis eight.", parts, lambda model: own[model])
    assert not could_say("It eight.", parts, lambda model: own[model])


def test_what_the_first_said_must_be_its_own() -> None:
    parts = [Part("alpha/a"), Part("beta/b", 3)]
    assert not could_say("Two two three five six.", parts, lambda model: OWN[model])
