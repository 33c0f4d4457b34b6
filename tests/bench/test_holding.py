"""What holding streams back costs: real streams through a real gateway, at ten times the pace."""

from __future__ import annotations

import json

import msgspec
import pytest

from tierwise.bench.holding import MODES, Options, run
from tierwise.bench.programs import BenchError
from tierwise.bench.reader import Reader
from tierwise.bench.waits import Seen, Spread, Waits, spread, waits
from tierwise.bench.writers import LARGE, SMALL, Writers
from tierwise.cli.bench_holding import show
from tierwise.execution.check import Checker
from tierwise.gates import load_gates
from tierwise.types import Completion
from tierwise.wire.openai_chat import read_request


@pytest.fixture(scope="module")
def result() -> Waits:
    steps: list[str] = []
    options = Options(requests=20, speed=0.1)
    found = run(options, steps.append)
    assert len(steps) == options.steps
    return found


@pytest.mark.process
def test_who_waits_for_gates_sees_the_first_word_later(result: Waits) -> None:
    added = {mode: one.ttft_added_s for mode, one in result.modes.items()}
    assert added["unchecked"] == Spread(0.0, 0.0)
    assert 0 < added["prefix"].p50 < added["held"].p50
    assert added["held"].p95 > added["held"].p50


@pytest.mark.process
def test_a_stream_that_is_held_to_its_end_comes_all_at_once(result: Waits) -> None:
    # Its first word is sent when the last one has come from upstream.
    reading = {mode: one.total_s.p50 - one.ttft_s.p50 for mode, one in result.modes.items()}
    assert reading["held"] < reading["unchecked"]


@pytest.mark.process
def test_what_falls_short_is_seen_only_where_nobody_looks(result: Waits) -> None:
    modes = result.modes
    assert modes["unchecked"].fell_short > 0
    assert modes["unchecked"].escalated == 0
    assert modes["held"].fell_short == 0
    assert modes["held"].escalated == modes["unchecked"].fell_short
    assert modes["large"].fell_short == 0


@pytest.mark.process
def test_the_json_has_the_promised_keys(result: Waits) -> None:
    told = json.loads(msgspec.json.encode(result))
    assert told["simulated"] is True
    assert set(told["modes"]) == {"unchecked", "prefix", "held", "held_1s", "large"} == set(MODES)
    for one in told["modes"].values():
        for name in ("ttft_s", "ttft_added_s", "total_s", "ttft_ratio", "total_ratio"):
            assert set(one[name]) == {"p50", "p95"}
        assert {"escalated", "fell_short"} <= set(one)


@pytest.mark.process
def test_people_are_told_that_it_is_simulated(
    result: Waits, capsys: pytest.CaptureFixture[str]
) -> None:
    show(result)
    shown = capsys.readouterr().out
    assert "simulated" in shown
    assert "held_1s" in shown
    assert "…" not in shown


def test_the_first_word_is_neither_a_comment_nor_an_empty_chunk() -> None:
    now = iter(range(100))
    reader = Reader(lambda: float(next(now)))
    for line in (
        b": the answer is being checked\n",
        b"\n",
        b'data: {"model": "m", "choices": [{"delta": {"role": "assistant", "content": ""}}]}\n',
    ):
        reader.line(line)
    assert reader.first is None
    for word in ("Hello", " there"):
        delta = {"model": "m", "choices": [{"delta": {"content": word}}]}
        reader.line(b"data: " + json.dumps(delta).encode() + b"\n")
    reader.line(b"data: [DONE]\n")
    assert reader.first == reader.began + 1
    assert "".join(reader.parts) == "Hello there"
    assert reader.model == "m"


@pytest.mark.parametrize("line", [b'data: {"error": {"message": "no"}}\n', b"data: no JSON\n"])
def test_an_error_in_a_stream_ends_the_measurement(line: bytes) -> None:
    with pytest.raises(BenchError, match="no"):
        Reader(lambda: 0.0).line(line)


def test_added_time_is_of_the_same_request() -> None:
    def seen(first: float, tier: int = 0) -> Seen:
        return Seen(first_s=first, total_s=first + 1, tier=tier, fell_short=False)

    found = waits(
        {
            "plain": {"a": seen(1.0), "b": seen(3.0)},
            "held": {"a": seen(3.5), "b": seen(4.0, tier=1)},
        },
        "plain",
    )
    assert found["held"].ttft_added_s == Spread(1.0, 2.5)
    assert found["held"].ttft_ratio == Spread(3.5, 1.33)
    assert found["held"].escalated == 0.5


def test_the_95th_percentile_is_one_of_the_values() -> None:
    assert spread([float(n) for n in range(100, 0, -1)]) == Spread(50.0, 95.0)
    assert spread([7.0]) == Spread(7.0, 7.0)


async def test_gates_reject_what_is_said_to_fall_short_and_nothing_else() -> None:
    writers = Writers(200)
    checker = Checker(load_gates(["complete", "refusal"]))
    short = 0
    for item in writers.items():
        task = read_request(json.dumps({**item.request, "model": "auto"}).encode())
        for model in (SMALL.id, LARGE.id):
            said = writers.said(item, model)
            answer = Completion(text=said.text, finish_reason=said.finish_reason)
            verdicts = await checker.verdicts(["complete", "refusal"], task, answer)
            rejected = any(verdict.p < 0.5 for verdict in verdicts)
            assert rejected == (model == SMALL.id and writers.falls_short(item))
            short += rejected
    assert 20 < short < 60
