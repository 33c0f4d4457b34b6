"""Log-probabilities of tokens are read where they are, and never get in the way."""

from __future__ import annotations

import json
from typing import Any

import pytest

from builders import a_chunk, an_answer
from tierwise.types import TokenLogprob
from tierwise.wire.openai_chat import join_chunks, read_chunk, read_completion
from tierwise.wire.openai_logprobs import hide_in_events, without_logprobs


def token(text: str, logprob: float, *tops: tuple[str, float]) -> dict[str, Any]:
    listed = [{"token": t, "logprob": lp, "bytes": None} for t, lp in tops]
    return {"token": text, "logprob": logprob, "bytes": [1], "top_logprobs": listed}


def told(logprobs: Any) -> tuple[TokenLogprob, ...]:
    answer = an_answer("Paris.")
    answer["choices"][0]["logprobs"] = logprobs
    completion = read_completion(json.dumps(answer).encode())
    assert completion.text == "Paris."
    return completion.logprobs


PARIS = token("Paris", -0.1, ("Paris", -0.1), ("Lyon", -2.5))
STOP = token(".", -0.5)


@pytest.mark.parametrize(
    ("logprobs", "expected"),
    [
        (
            {"content": [PARIS, STOP], "refusal": None},
            (TokenLogprob("Paris", -0.1, -2.5), TokenLogprob(".", -0.5)),
        ),
        (
            {"content": [token("Lyon", -2.5, ("Paris", -0.1), ("Lyon", -2.5))]},
            (TokenLogprob("Lyon", -2.5, -0.1),),
        ),
        (
            {
                "tokens": ["Paris", "."],
                "token_logprobs": [-0.1, None],
                "top_logprobs": [{"Paris": -0.1, "Lyon": -2.5}, None],
            },
            (TokenLogprob("Paris", -0.1, -2.5),),
        ),
        ({"tokens": ["Paris"], "token_logprobs": [-0.1]}, (TokenLogprob("Paris", -0.1),)),
        ({"content": [token("Paris", 1e-7)]}, (TokenLogprob("Paris", 0.0),)),
        (None, ()),
        ({}, ()),
        ({"content": None}, ()),
        ({"content": []}, ()),
        ({"content": "none"}, ()),
        ({"content": [{"token": 5}]}, ()),
        ([1, 2], ()),
        ("yes", ()),
    ],
)
def test_the_tokens_of_an_answer(logprobs: Any, expected: tuple[TokenLogprob, ...]) -> None:
    assert told(logprobs) == expected


def test_the_tokens_of_a_stream_are_those_of_its_chunks() -> None:
    def chunk(index: int, *tokens: Any) -> bytes:
        choice = {"index": index, "delta": {"content": "x"}, "logprobs": {"content": list(tokens)}}
        return a_chunk(choices=[choice])[6:]

    events = [chunk(0, PARIS), chunk(1, STOP), a_chunk("y")[6:], chunk(0, STOP)]
    completion = join_chunks(read_chunk(event) for event in events)
    assert completion.text == "xyx"
    assert [one.token for one in completion.logprobs] == ["Paris", "."]


def test_hidden_log_probabilities_leave_the_rest_as_it_was() -> None:
    body = b'{"id":"1","choices":[{"index":0,"logprobs":{"content":[]},"x":1.50}],"y":[1,  2]}'
    assert without_logprobs(body) == (
        b'{"id":"1","choices":[{"index":0,"logprobs":null,"x":1.50}],"y":[1,  2]}'
    )
    for other in (b'{"id":"1"}', b'{"choices": 5, "logprobs": 1}', b"no JSON, logprobs", b"[1]"):
        assert without_logprobs(other) == other


def test_events_that_say_nothing_of_tokens_pass_byte_by_byte() -> None:
    plain = b": a comment\n\n" + a_chunk("Paris") + b"data: [DONE]\n\n"
    assert hide_in_events(plain) == plain
    telling = a_chunk(
        choices=[{"index": 0, "delta": {"content": "x"}, "logprobs": {"content": []}}]
    )
    shown = hide_in_events(plain + telling)
    assert shown.startswith(plain)
    assert json.loads(shown[len(plain) + 6 :])["choices"] == [
        {"index": 0, "delta": {"content": "x"}, "logprobs": None}
    ]
