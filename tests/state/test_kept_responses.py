"""Where answers are kept that later requests go on from."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tierwise.state import kept_responses
from tierwise.state.kept_responses import InProcess, Kept, KeptResponses
from tierwise.state.shared_responses import InFolder


def kept(text: bytes = b"{}") -> Kept:
    return Kept(text, b'"Hello"')


def kept_item(text: str, *, name: str = "item") -> Kept:
    """An answer of one item, which is called `name` and says `text`."""
    return kept(b'{"output":[%b]}' % item_of(text, name=name))


def item_of(text: str, *, name: str = "item") -> bytes:
    return b'{"id":"%b","text":"%b"}' % (name.encode(), text.encode())


@pytest.fixture(params=["process", "folder"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., KeptResponses]:
    """Makes a place for answers; the arguments are its clock, if any."""
    if request.param == "process":
        return InProcess
    return lambda *clock: InFolder(tmp_path / "kept", *clock)


async def test_an_answer_is_found_until_it_is_forgotten(
    make: Callable[..., KeptResponses],
) -> None:
    store = make()
    store.keep("me", "one/../two", kept_item("first"))
    found = await store.find("me", "one/../two")
    assert found is not None
    assert (found.response, found.input) == (kept_item("first").response, b'"Hello"')
    assert await store.item("me", "item") == item_of("first")
    for other in ("you", None):
        assert await store.find(other, "one/../two") is None
        assert await store.item(other, "item") is None
    assert await store.forget("me", "one/../two")
    assert await store.find("me", "one/../two") is None
    assert await store.item("me", "item") is None
    assert not await store.forget("me", "one/../two")


async def test_what_one_worker_keeps_another_finds(tmp_path: Path) -> None:
    InFolder(tmp_path).keep(None, "one", kept(b"{}"))
    assert await InFolder(tmp_path).find(None, "one") is not None


def answers_in(folder: Path) -> int:
    return len(list(folder.rglob("answer-*")))


async def test_files_that_are_too_old_or_too_many_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    store = InFolder(tmp_path, lambda: now)
    monkeypatch.setattr(kept_responses, "MOST_BYTES_EACH", 1000)
    for number in range(5):
        store.keep("me", str(number), kept(b"x" * 400))
    InFolder(tmp_path, lambda: now).keep("me", "last", kept(b"x" * 400))  # it looks at once
    assert answers_in(tmp_path) == 2
    now += kept_responses.KEEP_S + 1
    assert await store.find("me", "last") is None
    InFolder(tmp_path, lambda: now).keep("other", "one", kept())
    assert answers_in(tmp_path) == 0


async def test_old_answers_are_forgotten() -> None:
    now = 0.0
    store = InProcess(lambda: now)
    store.keep("me", "one", kept_item("old"))
    now = kept_responses.KEEP_S - 1
    store.keep("me", "two", kept())
    assert await store.find("me", "one") is not None
    now += 2
    assert await store.find("me", "one") is None
    assert await store.item("me", "item") is None
    assert await store.find("me", "two") is not None


async def test_a_caller_has_its_own_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_responses, "MOST_BYTES_EACH", 100)
    store = InProcess()
    store.keep("other", "one", kept(b"x" * 60))
    for name in ("one", "two", "three"):
        store.keep("me", name, kept(b"x" * 40))
    assert await store.find("me", "one") is None
    assert await store.find("me", "three") is not None
    assert await store.find("other", "one") is not None


async def test_all_together_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_responses, "MOST_BYTES", 100)
    store = InProcess()
    for number in range(10):
        store.keep(str(number), "one", kept(b"x" * 40))
    found = [await store.find(str(number), "one") for number in range(10)]
    assert [one is not None for one in found] == [False] * 8 + [True] * 2


async def test_an_item_of_two_answers_stays_with_the_one_that_is_left() -> None:
    store = InProcess()
    store.keep("me", "one", kept_item("first"))
    store.keep("me", "two", kept_item("later"))
    assert await store.forget("me", "one")
    assert await store.item("me", "item") == item_of("later")
    assert not await store.forget("me", "one")


async def test_items_are_found_whenever_somebody_asked_before(
    make: Callable[..., KeptResponses],
) -> None:
    store = make()
    for text in ("first", "later", "last"):
        store.keep("me", f"resp_{text}", kept_item(text))
        assert await store.item("me", "item") == item_of(text)
    store.keep("me", "other", kept_item("named otherwise", name="another"))
    store.keep("me", "resp_last", kept_item("said again"))
    assert await store.item("me", "another") == item_of("named otherwise", name="another")
    assert await store.item("me", "item") == item_of("said again")
