"""Answers that lie in this process, elsewhere, or in both."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cache.test_cache import kept
from tierwise.cache import InProcess
from tierwise.cache.shared import Shared, packed, unpacked
from tierwise.types import Completion, ToolCall

NOW = 2000.0


class Elsewhere:
    """Where others keep answers."""

    def __init__(self) -> None:
        self.held: dict[bytes, tuple[bytes, float]] = {}
        self.asked = 0

    async def get(self, key: bytes) -> tuple[bytes, float] | None:
        self.asked += 1
        return self.held.get(key)

    def put(self, key: bytes, _size: int, make: Callable[[], bytes], _ttl_s: float) -> None:
        self.held[key] = make(), 0.0

    def say(self, _line: bytes, _ttl_s: float) -> None:
        raise AssertionError("nobody has said anything")


@pytest.fixture
def elsewhere() -> Elsewhere:
    return Elsewhere()


@pytest.fixture
def shared(elsewhere: Elsewhere) -> Shared:
    return Shared(InProcess(100_000), elsewhere, lambda: NOW)


async def test_what_lies_here_is_not_asked_for_elsewhere(
    shared: Shared, elsewhere: Elsewhere
) -> None:
    await shared.put(b"k", kept(), 60)
    assert await shared.get(b"k") == kept()
    assert elsewhere.asked == 0
    assert unpacked(elsewhere.held[b"k"][0]) == kept()


async def test_what_others_kept_is_asked_for_once_and_is_as_old_as_they_say(
    shared: Shared, elsewhere: Elsewhere
) -> None:
    elsewhere.held[b"k"] = packed(kept()), 20.0
    for _ in range(2):
        found = await shared.get(b"k")
        assert found is not None
        assert found.at == NOW - 20.0
    assert elsewhere.asked == 1
    assert await shared.get(b"k", NOW - 10.0) is None


@pytest.mark.parametrize("broken", [b"", b"\x01nonsense", b"\x02nonsense", b"\x09of later"])
async def test_what_cannot_be_read_is_not_there(
    shared: Shared, elsewhere: Elsewhere, broken: bytes
) -> None:
    elsewhere.held[b"k"] = broken, 0.0
    assert await shared.get(b"k") is None


async def test_what_is_cut_off_is_not_there(shared: Shared, elsewhere: Elsewhere) -> None:
    elsewhere.held[b"k"] = packed(kept(b"x" * 5000))[:-10], 0.0
    assert await shared.get(b"k") is None


def test_a_stream_is_packed_in_its_pieces_and_smaller() -> None:
    whole = kept()
    pieces = tuple(b'data: {"choices":[{"delta":{"content":"%d"}}]}\n\n' % n for n in range(100))
    stream = type(whole)(
        blocks=pieces,
        model="small",
        deployment="a/small",
        tier=1,
        usage=whole.usage,
        cost_usd=0.1,
        decision=whole.decision,
        at=1.0,
        completion=Completion(text="Hi", tool_calls=(ToolCall(id="1", name="f", arguments="{}"),)),
        left_out=("seed",),
    )
    made = packed(stream)
    assert unpacked(made) == stream
    assert len(made) < stream.size / 3
