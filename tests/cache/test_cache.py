"""What is kept, for how long, and who wants none of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tierwise.cache import Cache, InProcess, Kept
from tierwise.cache.cache import Wish, wish_of
from tierwise.types import Completion, Decision, Message, Plan, Profile, Task, ToolCall, Usage
from tierwise.types.outcomes import TokenLogprob

PROFILE = Profile(kind="chat", domain="general", difficulty=0.1)
DECISION = Decision(
    id="d", at=0.0, requested="small", policy=None, reference="small", profile=PROFILE,
    plan=Plan(tiers=()), candidates=(), reason="",
)  # fmt: skip


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def kept(text: bytes = b"answer", at: float = 1000.0) -> Kept:
    return Kept(
        blocks=(text,), model="small", deployment="a/small", tier=1, usage=Usage(), cost_usd=0.1,
        decision=DECISION, at=at,
    )  # fmt: skip


def task(model: str = "small", **fields: Any) -> Task:
    body = b'{"messages": [{"role": "user", "content": "Hello"}]}'
    return Task(body=body, model=model, messages=[Message("user", "Hello")], **fields)


def cache(clock: Clock, mode: Any = "exact", **modes: Any) -> Cache:
    return Cache(InProcess(100_000), {"": mode, **modes}, ttl_s=60, most_bytes=5000, now=clock)


async def found(cache: Cache, one: Task) -> bytes | None:
    asked = cache.asked(one)
    assert asked is not None
    found = await cache.find(one, asked)
    return None if found is None else found.kept.blocks[0]


async def keep(cache: Cache, one: Task, what: Kept) -> None:
    asked = cache.asked(one)
    assert asked is not None
    await cache.keep(one, asked, what)


async def test_an_answer_is_found_until_its_time_is_over() -> None:
    clock = Clock()
    cached = cache(clock)
    await keep(cached, task(), kept())
    clock.now += 59
    assert await found(cached, task()) == b"answer"
    clock.now += 2
    assert await found(cached, task()) is None
    assert (cached.hits, cached.misses) == (1, 1)


async def test_a_policy_may_have_a_mode_of_its_own() -> None:
    cached = cache(Clock(), "off", economy="exact")
    assert cached.asked(task()) is None
    assert cached.asked(task("economy")) is not None
    assert cached.asked(task(policy="economy")) is not None


async def test_no_cache_asks_anew_and_keeps_what_it_gets() -> None:
    cached = cache(Clock())
    await keep(cached, task(), kept(b"old"))
    anew = task(cache_control="no-cache")
    assert await found(cached, anew) is None
    await keep(cached, anew, kept(b"new"))
    assert await found(cached, task()) == b"new"


async def test_no_store_has_nothing_to_do_with_it() -> None:
    assert cache(Clock()).asked(task(cache_control="no-store")) is None


async def test_a_caller_may_want_none_that_is_older() -> None:
    clock = Clock()
    cached = cache(clock)
    await keep(cached, task(), kept())
    clock.now += 20
    assert await found(cached, task(cache_control="max-age=10")) is None
    assert await found(cached, task(cache_control="max-age=30")) == b"answer"


async def test_an_answer_that_is_too_large_is_not_kept() -> None:
    cached = cache(Clock())
    await keep(cached, task(), kept(b"x" * 6000))
    assert await found(cached, task()) is None


async def test_what_was_not_used_for_longest_goes_first() -> None:
    store = InProcess(3 * kept().size)
    for key in (b"1", b"2", b"3"):
        await store.put(key, kept(), 60)
    assert await store.get(b"1") is not None
    await store.put(b"4", kept(), 60)
    assert await store.get(b"2") is None
    assert [await store.get(key) is not None for key in (b"1", b"3", b"4")] == [True] * 3
    assert store.bytes == 3 * kept().size


def test_an_answer_counts_as_it_is_held_written_and_read() -> None:
    text = "й" * 50_000  # two bytes each, as it is read and in its body
    call = ToolCall(name="t", arguments="x" * 9000)
    logprobs = (TokenLogprob("token", -0.5, -1.5),) * 1000
    read = Completion(text=text, tool_calls=(call,), logprobs=logprobs)
    stream = kept(text.encode())
    whole = msgspec.structs.replace(stream, completion=read)
    assert stream.size > 100_000
    assert whole.size - stream.size > 100_000 + 9000 + 100 * len(logprobs)


async def test_what_takes_another_s_place_is_counted_once() -> None:
    store = InProcess(100_000)
    await store.put(b"1", kept(), 60)
    await store.put(b"1", kept(b"longer answer"), 60)
    assert (len(store), store.bytes) == (1, kept(b"longer answer").size)


@pytest.mark.parametrize(
    ("header", "wish"),
    [
        (None, Wish()),
        ("", Wish()),
        ("no-cache", Wish(read=False)),
        ("No-Store", Wish(read=False, write=False)),
        ("max-age=5", Wish(max_age_s=5)),
        ('max-age="5", no-transform', Wish(max_age_s=5)),
        ("no-cache, max-age=0", Wish(read=False, max_age_s=0)),
        ("max-age=soon, stale-if-error=3", Wish()),
        (",,=;", Wish()),
    ],
)
def test_the_header_is_read_as_its_standard_says(header: str | None, wish: Wish) -> None:
    assert wish_of(header) == wish
