"""What a task is about, how hard it looks, and what a model must be able to do."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from builders import a_task
from tierwise.analysis import analyse, classify, measure
from tierwise.types import DOMAINS, KINDS

TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}
IMAGE = [
    {"type": "text", "text": "What is in this picture?"},
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
]


@pytest.mark.parametrize(
    ("prompt", "kind", "domains"),
    [
        (
            "Review this financial statement for compliance violations.",
            None,
            {"finance", "legal"},
        ),
        ("Write a campaign pitch for our new running shoe.", "creative", {"creative"}),
        ("Please help with refactoring this module into smaller functions.", "code", {"code"}),
        ("Refactor the following class and fix the bug in its async method.", "code", {"code"}),
        ("```\nx = 1\n```\nwhat does this do", "code", {"code"}),
        ("def add(a, b): return a + b\n\nExplain.", "code", {"code"}),
        ("Translate to French: good morning", "translation", {"translation"}),
        ("Summarise the following article in two sentences.", "summarisation", None),
        ("Classify the sentiment of this review as positive or negative.", "classification", None),
        ("Extract all names and dates from the text below.", "extraction", None),
        ("Solve the equation 3x + 5 = 20.", "math", {"mathematics"}),
        ("Prove that the square root of two is irrational.", "reasoning", {"mathematics"}),
        ("Who painted the Mona Lisa?", "qa", {"general"}),
        ("Hello there", "chat", {"general"}),
        ("Which dosage of ibuprofen is safe for patients with renal disease?", "qa", {"medical"}),
        ("Is the indemnity clause in this lease contract enforceable?", None, {"legal"}),
        ("How did quarterly revenue and EBITDA change?", None, {"finance"}),
        ("Why does an enzyme speed up a chemical reaction?", "qa", {"science"}),
        ("My order has not arrived, I want a refund for the shipping.", None, {"support"}),
        ("Write a haiku about autumn.", "creative", {"creative"}),
    ],
)
def test_kind_and_domain_are_told_by_the_words(
    prompt: str, kind: str | None, domains: set[str] | None
) -> None:
    profile = analyse(a_task(prompt))
    if kind is not None:
        assert profile.kind == kind
    if domains is not None:
        assert profile.domain in domains


def with_messages(*messages: dict[str, Any], **fields: Any) -> Any:
    return a_task(messages=list(messages), **fields)


def test_a_picture_makes_it_vision() -> None:
    profile = analyse(with_messages({"role": "user", "content": IMAGE}))
    assert profile.kind == "vision"
    assert profile.requires == {"vision"}
    assert profile.input_tokens > 800


def test_tools_make_it_an_agent_s_step() -> None:
    profile = analyse(a_task("What is the weather?", tools=[TOOL]))
    assert profile.kind == "agent-step"
    assert profile.requires == frozenset({"tools"})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, set()),
        ({"tools": [TOOL]}, {"tools"}),
        ({"functions": [{"name": "f"}]}, {"tools"}),
        ({"tools": []}, set()),
        ({"logprobs": True}, {"logprobs"}),
        ({"reasoning_effort": "low"}, {"reasoning"}),
        ({"reasoning_effort": "none"}, set()),
        ({"response_format": {"type": "json_object"}}, {"json_mode"}),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}},
            {"json_schema"},
        ),
        ({"tools": [TOOL], "logprobs": True}, {"tools", "logprobs"}),
    ],
)
def test_a_task_requires_what_it_uses(fields: dict[str, Any], expected: set[str]) -> None:
    assert analyse(a_task(**fields)).requires == expected


@pytest.mark.parametrize(
    ("part", "capability"),
    [
        ({"type": "input_audio", "input_audio": {}}, "audio"),
        ({"type": "file", "file": {}}, "documents"),
        ({"type": "image_url", "image_url": {}}, "vision"),
    ],
)
def test_a_part_requires_somebody_who_can_take_it(part: dict[str, Any], capability: str) -> None:
    earlier = {"role": "user", "content": [part]}
    task = with_messages(earlier, {"role": "user", "content": "And now?"})
    assert analyse(task).requires == {capability}


def said_by(role: str, text: str) -> dict[str, str]:
    return {"role": role, "content": text}


def test_the_last_turn_says_what_to_do() -> None:
    task = with_messages(
        said_by("user", "Write a poem."),
        said_by("assistant", "Roses are red."),
        said_by("user", "Who decides?"),
    )
    assert analyse(task).kind == "qa"


@pytest.mark.parametrize("role", ["system", "developer", "user"])
def test_what_was_said_before_helps_with_the_domain(role: str) -> None:
    before = said_by(role, "You advise hospital doctors on patients and medication.")
    turns = [before, said_by("assistant", "I see."), said_by("user", "Who decides?")]
    assert analyse(with_messages(*turns)).domain == "medical"
    assert analyse(with_messages(turns[-1])).domain == "general"


def test_a_question_hidden_at_the_end_of_a_long_text_is_found() -> None:
    long = "Lorem ipsum dolor sit amet. " * 500
    assert analyse(a_task(long + "Translate this to German.")).kind == "translation"
    assert analyse(a_task("Translate this to German. " + long)).kind == "translation"


def test_harder_words_and_longer_texts_look_harder() -> None:
    plain = analyse(a_task("Who painted it?")).difficulty
    hard = analyse(a_task("Why? Compare and justify the implications.")).difficulty
    long = analyse(a_task("Who painted it? " + "blah " * 8000)).difficulty
    assert plain < hard <= 1
    assert plain < long <= 1


def test_tokens_are_counted_about_right() -> None:
    profile = analyse(a_task("word " * 400, max_tokens=30))
    assert 450 <= profile.input_tokens <= 550
    assert profile.output_tokens == 30


def test_every_choice_is_counted() -> None:
    one = analyse(a_task("Write a poem."))
    three = analyse(a_task("Write a poem.", n=3))
    assert three.output_tokens == 3 * one.output_tokens


def test_a_large_limit_is_not_taken_for_the_length() -> None:
    assert analyse(a_task("Who?", max_tokens=100_000)).output_tokens < 1000


def test_commodity_work_is_told_from_the_rest() -> None:
    assert analyse(a_task("Extract all names.")).commodity
    assert not analyse(a_task("Prove the theorem.")).commodity


@pytest.mark.parametrize("text", ["", " ", "\ud83d", "🙂" * 50, "\x00", "'\"`[]{}"])
def test_odd_texts_are_analysed_all_the_same(text: str) -> None:
    task = with_messages({"role": "user", "content": "x"})
    (message,) = task.messages
    profile = analyse(replace(task, messages=[replace(message, content=text)]))
    assert profile.kind in KINDS
    assert profile.domain in DOMAINS


def test_a_conversation_without_a_user_is_analysed() -> None:
    profile = analyse(with_messages({"role": "system", "content": "Be brief."}))
    assert profile.kind == "chat"


def test_analysis_in_two_steps_is_the_same_as_in_one() -> None:
    task = a_task("Why is the sky blue?", n=2)
    assert classify(measure(task)) == analyse(task) == analyse(task)


def test_domains_that_a_task_touches_beside_its_own_are_told() -> None:
    found = analyse(a_task("Review this financial statement for compliance violations."))
    assert (found.domain, found.also) == ("finance", {"legal"})
    assert analyse(a_task("What is the capital of France?")).also == frozenset()
