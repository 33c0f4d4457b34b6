"""Words of streams, which come in pieces cut anywhere."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tierwise.guardrails.pieces import Stream
from tierwise.wire import sse

TEXT = "My mail is ann@example.org, really."


def block(event: dict[str, Any], kind: str = "") -> bytes:
    head = f"event: {kind}\n" if kind else ""
    return f"{head}data: {json.dumps(event)}\n\n".encode()


def chat(index: int, text: str) -> bytes:
    return block({"choices": [{"index": index, "delta": {"content": text}}]})


def read(blocks: list[bytes]) -> list[Any]:
    return [json.loads(data) for data in sse.payloads(b"".join(blocks))]


@given(st.lists(st.integers(0, len(TEXT)), max_size=12).map(sorted))
def test_a_text_is_masked_however_it_was_cut(cuts: list[int]) -> None:
    ends = [0, *cuts, len(TEXT)]
    blocks = [chat(0, TEXT[a:b]) for a, b in pairwise(ends)]
    stream = Stream([*blocks, b"data: [DONE]\n\n"])
    (joined,) = stream.words
    assert joined.text == TEXT
    joined.put([(0, 2, "Our"), (11, 26, "[EMAIL_1]")])
    written = stream.written()
    text = "".join(e["choices"][0]["delta"]["content"] for e in read(written))
    assert text == "Our mail is [EMAIL_1], really."
    assert written[-1] == b"data: [DONE]\n\n"


def test_choices_and_kinds_of_events_are_texts_of_their_own() -> None:
    stream = Stream([chat(0, "a"), chat(1, "x"), chat(0, "b"), chat(1, "y")])
    assert [one.text for one in stream.words] == ["ab", "xy"]
    done = {"type": "response.output_text.done", "output_index": 0, "text": "ab"}
    delta = {"type": "response.output_text.delta", "output_index": 0, "delta": "a"}
    stream = Stream([block(delta), block({**delta, "delta": "b"}), block(done)])
    assert [one.text for one in stream.words] == ["ab", "ab"]


def test_names_of_events_and_comments_stay() -> None:
    stream = Stream([b": ping\n\n", block({"delta": {"text": "a"}}, "content_block_delta")])
    stream.words[0].put([(0, 1, "b")])
    assert stream.written() == [
        b": ping\n\n",
        b'event: content_block_delta\ndata: {"delta":{"text":"b"}}\n\n',
    ]


def test_a_thought_that_was_masked_is_no_longer_signed_and_others_are() -> None:
    def thought(index: int) -> list[bytes]:
        said = {"type": "thinking_delta", "thinking": "her secret"}
        sign = {"type": "signature_delta", "signature": "signed"}
        event = {"type": "content_block_delta", "index": index}
        return [block({**event, "delta": said}), block({**event, "delta": sign})]

    stream = Stream([*thought(0), *thought(1)])
    stream.words[0].put([(4, 10, "[NAME_1]")])
    said = [event["delta"] for event in read(list(stream.written()))]
    assert said[0]["thinking"] == "her [NAME_1]"
    assert [said[1]["signature"], said[3]["signature"]] == ["", "signed"]
