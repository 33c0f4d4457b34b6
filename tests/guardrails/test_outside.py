"""Code of one's own, which may raise, hang or say nonsense."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from tierwise.errors import ConfigError
from tierwise.guardrails.base import Span
from tierwise.guardrails.outside import Outside, load
from tierwise.guardrails.texts import Words


def texts(*said: str, role: Any = "user") -> list[Words]:
    return [Words([text], 0, text, role) for text in said]


@pytest.mark.parametrize(
    ("said", "spans"),
    [
        (None, []),
        (False, []),
        (True, [Span(0, 5, "mine")]),
        (0.7, [Span(0, 5, "mine")]),
        (0.4, []),
        ([], []),
        ([(1, 2)], [Span(1, 2, "mine")]),
        ([(1, 2, "name")], [Span(1, 2, "name")]),
        ([SimpleNamespace(start=1, end=2, label="name")], [Span(1, 2, "name")]),
    ],
)
async def test_what_it_says_becomes_spans(said: Any, spans: list[Span]) -> None:
    async def later(_: str) -> Any:
        return said

    for look in (lambda _: said, later):
        assert await Outside(look, label="mine").look(texts("hello")) == [spans]


@pytest.mark.parametrize(
    "said", ["yes", 1.5, -1, float("nan"), [(3, 9)], [(2, 1)], [("a", "b")], 3]
)
async def test_nonsense_is_refused(said: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - which words is not the point
        await Outside(lambda _: said, label="mine").look(texts("hello"))


async def test_one_that_hangs_is_left_and_after_eight_is_not_asked_again() -> None:
    release = threading.Event()
    asked: list[str] = []

    def hang(text: str) -> None:
        asked.append(text)
        release.wait(30)

    guardrail = Outside(hang, label="mine", limit_s=0.02)
    try:
        for _ in range(10):
            with pytest.raises(TimeoutError):
                await guardrail.look(texts("hello"))
    finally:
        release.set()
    assert len(asked) == 8


async def test_one_that_leaves_does_not_end_the_gateway() -> None:
    def leave(_: str) -> None:
        raise SystemExit(1)

    async def leave_later(_: str) -> None:
        raise SystemExit(1)

    for look in (leave, leave_later):
        with pytest.raises(RuntimeError, match="SystemExit"):
            await Outside(look, label="mine").look(texts("hello"))


async def test_a_coroutine_that_will_not_end_keeps_no_request_waiting() -> None:
    go_on = asyncio.Event()

    async def stubborn(_: str) -> None:
        while not go_on.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await go_on.wait()

    guardrail = Outside(stubborn, label="mine", limit_s=0.02)
    try:
        for _ in range(8):
            with pytest.raises(TimeoutError):
                await guardrail.look(texts("hello"))
        with pytest.raises(TimeoutError, match="8 calls hang"):
            await guardrail.look(texts("hello"))
    finally:
        go_on.set()


async def test_it_is_shown_only_the_texts_that_it_is_for() -> None:
    guardrail = Outside(lambda _: True, label="mine", roles=("tool",))
    assert await guardrail.look([*texts("a"), *texts("b", role="tool")]) == [
        [],
        [Span(0, 1, "mine")],
    ]


@pytest.mark.parametrize("name", ["unheard_of", "no_such_module:look", "json:no_such", "math:pi"])
def test_what_is_not_there_is_an_error_of_the_configuration(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        load(name)
