"""Requests that mean the same, and those that only look like it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cache.test_cache import kept
from tierwise.cache import InProcess, Kept
from tierwise.cache.index import MOST_IN_GROUP
from tierwise.cache.similar import MOST_CHARS, Similars, last_words, marks
from tierwise.types import Message, Owner, Part, Task

ASKED = "How do I reset the password of my account?"


def task(text: str, system: str = "Be brief.", **fields: Any) -> Task:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": text}]
    body = json.dumps({"model": "small", "messages": messages}).encode()
    read = [Message(m["role"], m["content"]) for m in messages]
    return Task(body=body, model="small", messages=read, **fields)


@pytest.fixture
def store() -> InProcess:
    return InProcess(10_000_000)


@pytest.fixture
def similars(store: InProcess) -> Similars:
    return Similars(store, 0.9)


async def keep(similars: Similars, store: InProcess, one: Task, key: bytes = b"k") -> None:
    await store.put(key, kept(), 60)
    await similars.keep(one, key, kept())


async def found(similars: Similars, one: Task) -> Kept | None:
    return await similars.find(one, 0.0)


@pytest.mark.parametrize(
    "again",
    [ASKED, "how do i reset the password of my account", "How do I reset my account password?"],
)
async def test_other_words_for_the_same_are_found(
    similars: Similars, store: InProcess, again: str
) -> None:
    await keep(similars, store, task(ASKED))
    assert await found(similars, task(again)) is not None


@pytest.mark.parametrize(
    ("asked", "other"),
    [
        ("What is 17 plus 4?", "What is 17 plus 5?"),
        ("Which of these are true?", "Which of these are not true?"),
        ("Give me the maximum of the list", "Give me the minimum of the list"),
        ("Tell me who leads Apple today", "Tell me who leads Google today"),
        ('Translate "good" into French', 'Translate "bad" into French'),
        (ASKED, "What is the capital of France?"),
    ],
)
async def test_what_only_looks_the_same_is_not(
    similars: Similars, store: InProcess, asked: str, other: str
) -> None:
    await keep(similars, store, task(asked))
    assert await found(similars, task(asked)) is not None
    assert await found(similars, task(other)) is None


@pytest.mark.parametrize(
    "other",
    [
        task(ASKED, system="Be long."),
        task(ASKED, caller="b"),
        task(ASKED, owner=Owner(org="o")),
        task(ASKED, stream=True),
    ],
)
async def test_nothing_but_the_last_words_may_differ(
    similars: Similars, store: InProcess, other: Task
) -> None:
    await keep(similars, store, task(ASKED))
    assert await found(similars, other) is None


async def test_an_answer_that_is_gone_or_too_old_is_not_found(
    similars: Similars, store: InProcess
) -> None:
    await similars.keep(task(ASKED), b"gone", kept())
    assert await found(similars, task(ASKED)) is None
    await keep(similars, store, task(ASKED))
    assert await similars.find(task(ASKED), 2000.0) is None


async def test_only_so_many_are_remembered(similars: Similars, store: InProcess) -> None:
    for number in range(MOST_IN_GROUP + 1):
        await keep(similars, store, task(f"Question {number}"), b"%d" % number)
    assert await found(similars, task("Question 0")) is None
    assert await found(similars, task(f"Question {MOST_IN_GROUP}")) is not None


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [Message("assistant", "Hello")],
        [Message("user", "x" * (MOST_CHARS + 1))],
        [Message("user", [Part("text", "What is this?"), Part("image_url")])],
        [Message("tool", "42")],
    ],
)
def test_what_is_no_question_in_words_has_no_last_words(messages: list[Message]) -> None:
    assert last_words(Task(body=b"{}", model="m", messages=messages)) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Posso mangiare questi funghi crudi?", "Non posso mangiare questi funghi crudi?"),
        ("Posso comer estes cogumelos crus?", "Não posso comer estes cogumelos crus?"),
        ("Mag ik dit rauw eten?", "Mag ik dit niet rauw eten?"),
        ("Czy mogę jeść te grzyby na surowo?", "Czy nie mogę jeść te grzyby na surowo?"),
        ("Можно ли мне есть это сырым?", "Не можно ли мне есть это сырым?"),
        ("这种药可以和酒一起吃吗？", "这种药不可以和酒一起吃吗？"),
        ("東京の人口を教えてください", "大阪の人口を教えてください"),
        ("كيف أعالج ارتفاع ضغط الدم؟", "كيف أعالج انخفاض ضغط الدم؟"),
        ("क्या मैं यह खा सकता हूँ?", "क्या मैं यह नहीं खा सकता हूँ?"),
        ("How warm is it in Österreich now?", "How warm is it in Ägypten now?"),
        ("Why does it start by itself?", "Why doesn’t it start by itself?"),
        ("Which of them is not A and not B?", "Which of them is A and not B?"),
        ("How many km are five miles?", "How many km are six miles?"),
    ],
)
def test_what_turns_a_question_is_seen_in_many_languages(one: str, other: str) -> None:
    assert marks(one) != marks(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Why don't they fly?", "Why do not they fly?"),
        ("Можно ли есть это сырым?", "можно ли есть это сырым？"),
        ("今天天气怎么样？", "今天天气怎么样?"),
    ],
)
def test_what_is_only_written_otherwise_is_the_same(one: str, other: str) -> None:
    assert marks(one) == marks(other)


def test_marks_are_numbers_names_quotes_and_turns() -> None:
    said = marks('Is it true that Ada sold 3.5 of "them", not 4?')
    assert said == {"3.5", "4", "ada", '"them"', "true", "not"}
