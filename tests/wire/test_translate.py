"""Analysis reads the same in a request, whichever way it came."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from plain import a_plain_task, install
from tierwise.analysis.conversation import conversation, declared_tools
from tierwise.analysis.profile import analyse
from tierwise.types import Task
from tierwise.wire.conversation import Conversation, Document, Source, Turn, Video
from tierwise.wire.dialect import dialect_named
from tierwise.wire.openai_chat import read_request
from tierwise.wire.translate import as_chat, conversation_of, in_dialect, task_of

TOOL = {
    "type": "function",
    "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object"}},
}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
PDF = "data:application/pdf;base64,AA=="


def both(content: Any = "What is the capital of France?", **fields: Any) -> tuple[Task, Task]:
    """A chat request read as the hot path reads it, and through the middle."""
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": content},
    ]
    body = json.dumps({"model": "m", "messages": messages, **fields}).encode()
    return read_request(body), task_of(dialect_named("openai-chat").read_request(body), body)


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        ("What?", {}),
        ("What?", {"tools": [TOOL]}),
        ("What?", {"response_format": {"type": "json_object"}}),
        ("What?", {"response_format": SCHEMA}),
        ("What?", {"logprobs": True}),
        ("What?", {"reasoning_effort": "high"}),
        ("What?", {"n": 3, "max_completion_tokens": 7}),
        ([{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}], {}),
        ([{"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}], {}),
        ([{"type": "file", "file": {"filename": "a.pdf", "file_data": PDF}}], {}),
    ],
    ids=[
        *("text", "tools", "json", "schema", "logprobs", "effort", "choices"),
        *("image", "audio", "file"),
    ],
)  # fmt: skip
def test_what_a_model_must_be_able_to_do_is_the_same(content: Any, fields: Any) -> None:
    direct, through = (analyse(task) for task in both(content, **fields))
    assert through == direct


def test_question_earlier_turns_and_system_prompt_are_the_same() -> None:
    direct, through = (conversation(task) for task in both())
    assert through == direct


def test_tools_are_read_as_a_chat_request_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    direct, _ = both(tools=[TOOL])
    plain = a_plain_task("What?", gear=["look"])
    assert declared_tools(a_plain_task("What?")) is None
    told = json.loads(declared_tools(plain) or b"")
    assert told == [
        {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    ]
    assert json.loads(declared_tools(direct) or b"") == [TOOL]


def test_a_document_that_is_text_needs_no_model_that_reads_files_and_a_film_one_that_sees() -> None:
    def needs(part: Any) -> set[str]:
        turn = Turn(role="user", parts=(part,))
        asked = Conversation(dialect="openai-chat", model="m", turns=(turn,))
        return set(analyse(task_of(asked, b"{}")).requires)

    assert needs(Document(source=Source(), text="Some words.")) == set()
    assert needs(Document(source=Source(data="AA=="))) == {"documents"}
    assert needs(Video(source=Source(url="https://example.org/a.mp4"))) == {"vision"}


def test_a_task_in_another_dialect_keeps_its_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    task = a_plain_task("Hi", heat=0.5, stream=True)
    chat = as_chat(task)
    assert (chat.dialect, chat.reads) == ("openai-chat", "plain")
    assert json.loads(chat.body)["temperature"] == 0.5
    assert as_chat(chat) is chat
    assert in_dialect(task, "plain") is task
    assert conversation_of(replace(task, model="other", stream=False)).model == "other"


@pytest.mark.parametrize(("letters", "times"), [(10, 1), (300_000, 2)])
def test_what_a_request_asks_is_read_once_unless_it_is_large(
    monkeypatch: pytest.MonkeyPatch, letters: int, times: int
) -> None:
    install(monkeypatch)
    read: list[bytes] = []
    plain = dialect_named("plain")
    understood = plain.read_request

    def noted(body: bytes) -> Conversation:
        read.append(body)
        return understood(body)

    monkeypatch.setattr(plain, "read_request", noted)
    task = a_plain_task("x" * letters)
    read.clear()  # to make it took a reading
    assert conversation_of(task) == conversation_of(task)
    assert len(read) == times


def test_a_task_that_was_changed_is_read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    task, other = a_plain_task("Hi"), a_plain_task("Good day")
    before = conversation_of(task)
    changed = replace(task, body=other.body)
    assert conversation_of(changed).turns == conversation_of(other).turns != before.turns
