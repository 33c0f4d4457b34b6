"""Two streams become one: one id, one role, one end, one usage, and the text of one answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.errors import Diverged, ServerFailed
from tierwise.wire import sse
from tierwise.wire.overlap import Overlap, Replay
from tierwise.wire.sent import PRESSED_AT, BegunCall, Sent, Transcript, read_sent
from tierwise.wire.splice import DONE, Share, Splicer

Chunk = dict[str, Any]


def chunk(ident: str, delta: Chunk, finish: str | None = None, **fields: Any) -> Chunk:
    return {
        "id": ident,
        "object": "chat.completion.chunk",
        "created": len(ident),
        "model": f"model-of-{ident}",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        **fields,
    }


def answer(ident: str, pieces: Sequence[str], *, usage: Chunk | None = None) -> list[Chunk]:
    """The chunks of a whole answer that says these pieces."""
    chunks = [chunk(ident, {"role": "assistant", "content": ""})]
    chunks += [chunk(ident, {"content": piece}) for piece in pieces]
    chunks.append(chunk(ident, {}, "stop"))
    if usage is not None:
        chunks.append({**chunk(ident, {}), "choices": [], "usage": usage})
    return chunks


def as_bytes(chunks: Sequence[Chunk | str], end: str = "\n", *, done: bool = True) -> bytes:
    """Chunks as events; a string is a comment."""
    events = [
        f": {one}{end}{end}" if isinstance(one, str) else f"data: {json.dumps(one)}{end}{end}"
        for one in chunks
    ]
    return "".join(events).encode() + (f"data: [DONE]{end}{end}".encode() if done else b"")


def blocks(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    """What a reader hands on of bytes that come cut at these places."""
    buffer = sse.EventBuffer()
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    reads = [data[a:b] for a, b in pairwise(places)]
    return [block for read in reads if read and (block := buffer.feed(read))]


def seen(data: bytes) -> list[Chunk]:
    """The chunks as a client reads them."""
    payloads = [sse.payload(event) for event in sse.events(data)]
    return [json.loads(one) for one in payloads if one is not None and one != b"[DONE]"]


def spliced(splicer: Splicer, data: bytes, cuts: Sequence[int] = ()) -> bytes:
    return b"".join(splicer.feed(block) for block in blocks(data, cuts))


def text_of(chunks: Sequence[Chunk]) -> str:
    return "".join(
        choice["delta"].get("content") or "" for one in chunks for choice in one["choices"]
    )


WORDS = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8), max_size=10
)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])
CUTS = st.lists(st.integers(0, 10_000), max_size=10)
USAGE = {"prompt_tokens": 30, "completion_tokens": 5, "total_tokens": 35}


@given(WORDS, WORDS, ENDS, ENDS, CUTS, CUTS, st.integers(0, 10_000), st.booleans())
def test_a_client_sees_one_stream_wherever_the_first_was_cut(
    before: list[str],
    after: list[str],
    end: str,
    other_end: str,
    cuts: list[int],
    other_cuts: list[int],
    break_at: int,
    commented: bool,
) -> None:
    first = as_bytes(answer("one", before), end, done=False)
    first = first[: break_at % (first.rfind(b"data:") + 1)]  # anywhere before the finish
    transcript = Transcript()
    shown = blocks(first, cuts)
    for block in shown:
        transcript.add(block)
    sent = transcript.read()
    comments: list[Chunk | str] = ["keep-alive"] if commented else []
    second = as_bytes([*comments, *answer("second", after, usage=USAGE)], other_end)
    splicer = Splicer(sent, Replay("") if sent.text else None, Share(asked=4, said=7))
    out = b"".join(shown) + spliced(splicer, second, other_cuts)

    chunks = seen(out)
    assert len({one["id"] for one in chunks}) == 1
    assert len({one["created"] for one in chunks}) == 1
    choices = [choice for one in chunks for choice in one["choices"]]
    assert [c["delta"].get("role") for c in choices].count("assistant") == 1
    assert [c["finish_reason"] for c in choices if c["finish_reason"]] == ["stop"]
    counted = [one["usage"] for one in chunks if one.get("usage")]
    assert counted == [{"prompt_tokens": 26, "completion_tokens": 12, "total_tokens": 38}]
    assert out.count(b"data: [DONE]") == 1
    assert out.endswith(DONE)
    assert text_of(chunks) == sent.text + "".join(after)


@given(WORDS, st.integers(0, 10_000), CUTS, ENDS)
def test_an_answer_that_is_begun_anew_gives_the_same_text_and_tells_what_is_left_of_it(
    words: list[str], break_at: int, cuts: list[int], end: str
) -> None:
    whole = as_bytes(answer("one", words), end, done=False)
    shown = blocks(whole[: break_at % (whole.rfind(b"data:") + 1)], cuts)
    sent = read_sent(b"".join(shown))
    trim = Replay(sent.text) if sent.text else None
    out = b"".join(shown) + spliced(Splicer(sent, trim), as_bytes(answer("two", words)), cuts)
    assert text_of(seen(out)) == "".join(words)


@given(st.lists(WORDS, min_size=1, max_size=4), CUTS)
def test_a_stream_that_breaks_again_and_again_is_still_one(
    parts: list[list[str]], cuts: list[int]
) -> None:
    transcript = Transcript()
    out = b""
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        chunks = answer(f"id{number}", part, usage=USAGE)
        data = as_bytes(chunks if last else chunks[:-2], done=last)
        sent = transcript.read()
        splicer = Splicer(sent, Replay("") if sent.text else None) if number else None
        for block in blocks(data, cuts):
            shown = splicer.feed(block) if splicer is not None else block
            transcript.add(shown)
            out += shown
    chunks = seen(out)
    assert {one["id"] for one in chunks} == {"id0"}
    choices = [choice for one in chunks for choice in one["choices"]]
    assert [c["delta"].get("role") for c in choices].count("assistant") == 1
    assert [c["finish_reason"] for c in choices if c["finish_reason"]] == ["stop"]
    assert text_of(chunks) == "".join(word for part in parts for word in part)


def test_the_chunks_of_a_continuation_name_the_model_that_goes_on() -> None:
    sent = read_sent(as_bytes(answer("one", ["Hello"])[:2], done=False))
    out = spliced(Splicer(sent, Overlap("Hello")), as_bytes(answer("two", [" world"])))
    assert {one["model"] for one in seen(out)} == {"model-of-two"}
    assert {one["id"] for one in seen(out)} == {"one"}


def test_what_is_repeated_is_left_out_and_no_empty_chunk_is_sent() -> None:
    sent = read_sent(as_bytes(answer("one", ["The cat ", "sat on"])[:3], done=False))
    pieces = ["cat ", "sat ", "on ", "the mat"]
    out = seen(spliced(Splicer(sent, Overlap(sent.text)), as_bytes(answer("two", pieces))))
    assert [one["choices"][0]["delta"] for one in out] == [
        {"content": " "}, {"content": "the mat"}, {},
    ]  # fmt: skip


def test_what_is_still_held_back_at_the_end_is_said_with_it() -> None:
    sent = read_sent(as_bytes(answer("one", ["the long and winding road"])[:2], done=False))
    out = seen(spliced(Splicer(sent, Overlap(sent.text)), as_bytes(answer("two", ["the long"]))))
    assert [one["choices"][0]["delta"] for one in out] == [{"content": "the long"}]
    assert out[0]["choices"][0]["finish_reason"] == "stop"


def test_what_a_model_thinks_before_it_goes_on_is_not_shown() -> None:
    sent = read_sent(as_bytes(answer("one", ["Hello"])[:2], done=False))
    thinking = chunk("two", {"role": "assistant", "reasoning_content": "Where was I?"})
    out = spliced(Splicer(sent, Overlap("Hello")), as_bytes([thinking, *answer("two", [" all"])]))
    assert b"Where was I" not in out
    assert text_of(seen(out)) == " all"


def test_what_the_first_model_thought_is_not_answer_and_need_not_be_gone_on_from() -> None:
    thought = chunk("one", {"role": "assistant", "reasoning_content": "Hm."})
    sent = read_sent(as_bytes([thought], done=False))
    assert sent.thought
    assert not sent.said


def test_notes_come_before_the_end_as_comments() -> None:
    splicer = Splicer(Sent())
    splicer.notes = ["continued by a", "continued by b"]
    out = spliced(splicer, as_bytes(answer("two", ["Hi"])))
    assert out.endswith(b": continued by a\n\n: continued by b\n\n" + DONE)


def call(ident: str, name: str | None, arguments: str, index: int = 0, **more: Any) -> Chunk:
    function = {"arguments": arguments} | ({"name": name} if name else {})
    head = {"id": f"call-{ident}", "type": "function"} if name else {}
    piece = {"index": index, **head, "function": function}
    return chunk(ident, {"tool_calls": [piece], **more})


def test_a_call_whose_name_alone_is_out_goes_on_if_it_is_the_same_tool() -> None:
    sent = read_sent(as_bytes([call("one", "weather", "", role="assistant")], done=False))
    assert (sent.calls, sent.odd) == ({0: BegunCall("weather")}, "")
    again = [call("two", "weather", "", role="assistant"), call("two", None, '{"city":"Paris"}'),
             call("two", "time", "{}", index=1), chunk("two", {}, "tool_calls")]  # fmt: skip
    out = seen(spliced(Splicer(sent), as_bytes(again)))
    pieces = [p for one in out for p in one["choices"][0]["delta"].get("tool_calls", ())]
    assert pieces == [
        {"index": 0, "function": {"arguments": '{"city":"Paris"}'}},
        {"index": 1, "id": "call-two", "type": "function",
         "function": {"arguments": "{}", "name": "time"}},
    ]  # fmt: skip
    assert out[-1]["choices"][0]["finish_reason"] == "tool_calls"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), st.integers(0, 31), CUTS)
def test_a_call_that_is_made_again_appears_once_wherever_it_broke(
    arguments: str, break_at: int, cuts: list[int]
) -> None:
    broken = [call("one", "weather", "", role="assistant"), call("one", None, arguments[:break_at])]
    pieces = [call("two", None, char) for char in arguments]
    again = [call("two", "weather", "", role="assistant"), *pieces, chunk("two", {}, "tool_calls")]
    first = as_bytes(broken, done=False)
    out = seen(first + spliced(Splicer(read_sent(first)), as_bytes(again), cuts))
    made = [p for one in out for p in one["choices"][0]["delta"].get("tool_calls", ())]
    assert "".join(p["function"].get("arguments", "") for p in made) == arguments
    assert [p["function"]["name"] for p in made if "name" in p["function"]] == ["weather"]
    assert [p["id"] for p in made if "id" in p] == ["call-one"]


@pytest.mark.parametrize("again", ['{"city":"Rome"}', '{"ci'])
def test_a_call_that_is_made_anew_with_other_arguments_shows_nothing_of_them(again: str) -> None:
    first = as_bytes([call("one", "weather", '{"city":"P', role="assistant")], done=False)
    splicer = Splicer(read_sent(first))
    assert splicer.feed(as_bytes([call("two", "weather", again[:4])], done=False)) == b""
    with pytest.raises(Diverged):
        splicer.feed(as_bytes([call("two", None, again[4:], role="x"), chunk("two", {}, "stop")]))


@pytest.mark.parametrize(
    "again",
    [
        [call("two", "time", "")],
        [chunk("two", {"content": "Sunny"}), chunk("two", {}, "stop")],
        [call("two", None, "{}")],
    ],
    ids=["another tool", "no tool", "no name"],
)
def test_a_call_whose_name_is_out_never_becomes_another(again: list[Chunk]) -> None:
    sent = read_sent(as_bytes([call("one", "weather", "", role="assistant")], done=False))
    with pytest.raises(Diverged):
        spliced(Splicer(sent), as_bytes(again))


@pytest.mark.parametrize(
    ("delta", "odd"),
    [
        ({"tool_calls": 1}, "its tool calls cannot be read"),
        ({"function_call": {"name": "f"}}, "it has a `function_call`"),
        ({"refusal": "No"}, "it has a `refusal`"),
        ({"audio": {"data": "x"}}, "it has a `audio`"),
        ({"refusal": None, "tool_calls": [], "audio": None, "annotations": []}, ""),
    ],
)
def test_what_nobody_else_can_go_on_from_is_named(delta: Chunk, odd: str) -> None:
    assert read_sent(as_bytes([chunk("one", delta)], done=False)).odd.startswith(odd)


def test_a_text_in_several_choices_cannot_be_gone_on_from() -> None:
    two = chunk("one", {"content": "a"})
    two["choices"].append({"index": 1, "delta": {"content": "b"}, "finish_reason": None})
    assert read_sent(as_bytes([two], done=False)).odd == "it has several choices"


def test_several_choices_of_which_nothing_was_said_are_begun_anew() -> None:
    roles = [{"index": i, "delta": {"role": "assistant"}, "finish_reason": None} for i in (0, 1)]
    said = [{"index": i, "delta": {"role": "assistant", "content": f"{i}"}, "finish_reason": "stop"}
            for i in (0, 1)]  # fmt: skip
    sent = read_sent(as_bytes([chunk("one", {}) | {"choices": roles}], done=False))
    assert not sent.said
    out = seen(spliced(Splicer(sent), as_bytes([chunk("two", {}) | {"choices": said}])))
    assert [c["delta"] for c in out[0]["choices"]] == [{"content": "0"}, {"content": "1"}]


def test_an_event_that_cannot_be_read_breaks_the_stream() -> None:
    with pytest.raises(ServerFailed, match="cannot be read"):
        Splicer(Sent()).feed(b'data: {"choices":[{"index":0,"delta":{"conte\n\n')


def test_a_long_stream_is_kept_small_and_read_whole() -> None:
    transcript = Transcript()
    event = as_bytes([chunk("one", {"content": "word "})], done=False)
    size = 0
    while size < 8 * PRESSED_AT:
        transcript.add(event)
        size += len(event)
    kept = sum(map(len, transcript._blocks)) + sum(map(len, transcript._pressed))
    assert kept < 1.5 * PRESSED_AT
    assert transcript.read().text == "word " * (size // len(event))


def test_a_text_in_pieces_is_read_and_its_thoughts_are_not() -> None:
    content = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]},
               {"type": "text", "text": "Hello"}]  # fmt: skip
    sent = read_sent(as_bytes([chunk("one", {"content": content})], done=False))
    assert (sent.text, sent.thought, sent.odd) == ("Hello", True, "")
