"""An answer that is given again has ids of its own, and says the same."""

from __future__ import annotations

import json

from tierwise.wire.responses.again import given_again

ITEM = {"type": "message", "id": "msg_abc_0", "content": [{"text": 'of "resp_abc"'}]}
ANSWER = {"id": "resp_abc", "previous_response_id": "resp_before", "output": [ITEM]}


def test_the_answer_and_the_items_named_after_it_get_another_id() -> None:
    (block,) = given_again((json.dumps(ANSWER).encode(),))
    said = json.loads(block)
    name = said["id"].removeprefix("resp_")
    assert name != "abc"
    assert said["output"][0]["id"] == f"msg_{name}_0"
    assert said["output"][0]["content"] == ITEM["content"]
    assert said["previous_response_id"] == "resp_before"


def test_all_events_of_a_stream_have_the_same() -> None:
    events = (
        {"type": "response.created", "response": {**ANSWER, "output": []}},
        {"type": "response.output_text.delta", "item_id": "msg_abc_0", "delta": "resp_abc"},
        {"type": "response.completed", "response": ANSWER},
    )
    blocks = tuple(f"event: x\ndata: {json.dumps(one)}\n\n".encode() for one in events)
    created, delta, completed = (
        json.loads(block.partition(b"data: ")[2]) for block in given_again(blocks)
    )
    name = created["response"]["id"].removeprefix("resp_")
    assert completed["response"]["id"] == f"resp_{name}"
    assert (delta["item_id"], delta["delta"]) == (f"msg_{name}_0", "resp_abc")


def test_items_that_a_provider_has_named_keep_their_names() -> None:
    item = {"type": "reasoning", "id": "rs_68", "encrypted_content": "sealed"}
    (block,) = given_again((json.dumps({"id": "resp_67", "output": [item]}).encode(),))
    assert json.loads(block)["output"] == [item]


def test_what_has_no_id_stays_as_it_is() -> None:
    assert given_again((b"{}",)) == (b"{}",)
    assert given_again((b": a comment\n\n", b"odd")) == (b": a comment\n\n", b"odd")
