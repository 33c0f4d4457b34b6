"""A provider dies in the middle of a stream, and the client reads the whole answer all the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, NamedTuple

import openai
import pytest
from openai import AsyncOpenAI

from gateway import KEY, RunningGateway, until
from tierwise import Orchestrator
from tierwise.fleet import Faults, Fleet, WorkItem
from tierwise.fleet.faults import Cut, ErrorEvent, Errors, Garbage, Repeat, Stall
from tierwise.fleet.simulated import Simulated

MODEL = "sim-large"
DEATHS: dict[str, Callable[[int], Faults]] = {
    "ended": lambda n: Faults(cut=Cut(after_events=n)),
    "reset": lambda n: Faults(cut=Cut(after_events=n, pause_s=0.05, reset=True)),
    "silent": lambda n: Faults(stall=Stall(after_events=n)),
    "garbage": lambda n: Faults(garbage=Garbage(after_events=n)),
    "error event": lambda n: Faults(error_event=ErrorEvent(after_events=n)),
}
FAILED = ("connect_failed", "stream_broken", "timeout", "server_failed")
each_death = pytest.mark.parametrize("dies", DEATHS.values(), ids=DEATHS)


class Heard(NamedTuple):
    """What a client makes of a stream. `raw` is all that came."""

    text: str
    ids: set[str]
    roles: list[str]
    finishes: list[str]
    usages: list[Any]
    arguments: str
    events: int


@pytest.fixture(scope="module")
def source() -> Simulated:
    return Simulated(0)


@pytest.fixture
async def fleet(source: Simulated) -> AsyncIterator[Fleet]:
    async with Fleet(source, speed=0.01) as running:
        yield running


@pytest.fixture
def gateway(fleet: Fleet) -> Iterator[RunningGateway]:
    with a_gateway(fleet) as running:
        yield running


def a_gateway(fleet: Fleet, *quirks: str, **policy: Any) -> RunningGateway:
    """A gateway in front of the fleet that waits half a second for the next word."""
    config = fleet.config()
    for provider in config["providers"].values():
        provider["quirks"] = list(quirks)
    data = config | {
        "ledger": {"path": ":memory:"},
        "server": {"api_keys": [KEY], "grace_s": 1},
        "timeouts": {"first_token": 5, "between_tokens": 0.5},
    }
    tiers = [{"model": MODEL}]
    data["policies"]["pinned"] = {
        "tiers": tiers, "fallbacks": ["sim-medium"], "gates": ["complete"], **policy,
    }  # fmt: skip
    return RunningGateway(data)


@pytest.fixture
async def client(gateway: RunningGateway) -> AsyncIterator[AsyncOpenAI]:
    async with a_client(gateway) as connected:
        yield connected


def a_client(gateway: RunningGateway) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0, timeout=15)


async def hear(client: AsyncOpenAI, item: WorkItem, model: str = MODEL, **fields: Any) -> Heard:
    stream = await client.chat.completions.create(
        model=model, stream=True, stream_options={"include_usage": True}, **item.request, **fields
    )
    text, arguments, events = "", "", 0
    ids, roles, finishes, usages = set(), [], [], []
    async for chunk in stream:
        events += 1
        ids.add(chunk.id)
        if chunk.usage is not None:
            usages.append(chunk.usage)
        for choice in chunk.choices:
            text += choice.delta.content or ""
            roles += [choice.delta.role] if choice.delta.role else []
            finishes += [choice.finish_reason] if choice.finish_reason else []
            for call in choice.delta.tool_calls or ():
                assert call.function is not None
                arguments += call.function.arguments or ""
    return Heard(text, ids, roles, finishes, usages, arguments, events)


def long_one(fleet: Fleet, kind: str = "code", **wanted: bool) -> WorkItem:
    """A task with an answer of many events, the first of its kind."""
    for item in fleet.workload(4800):
        if item.kind != kind or len(fleet.expected(item, MODEL)) < 80:
            continue
        if all((name in item.request) == there for name, there in wanted.items()):
            return item
    raise AssertionError(f"no {kind} task has a long answer")


def is_one_answer(heard: Heard) -> bool:
    return (len(heard.ids), heard.roles, len(heard.finishes), len(heard.usages)) == (
        1, ["assistant"], 1, 1,
    )  # fmt: skip


@each_death
@pytest.mark.parametrize("events", [0, 1, 2, 7])
async def test_a_stream_that_dies_goes_on_at_the_other_home_to_the_letter(
    fleet: Fleet, gateway: RunningGateway, client: AsyncOpenAI, dies: Any, events: int
) -> None:
    item = long_one(fleet)
    fleet.providers["alpha"].faults = dies(events)
    heard = await hear(client, item)
    assert heard.text == fleet.expected(item, MODEL)
    assert is_one_answer(heard)
    record = await asyncio.to_thread(gateway.last_record)
    assert record.status == "ok"
    assert record.failovers == 1
    assert [a.deployment for a in record.attempts] == ["alpha/sim-large", "beta/sim-large"]
    assert record.attempts[0].outcome in FAILED
    assert record.attempts[1].outcome == "accepted"
    assert (record.attempts[1].continues is None) == (record.attempts[0].usage is None)
    assert gateway.orchestrator.health.states["alpha/sim-large"].failures_in_row == 1


@each_death
@pytest.mark.parametrize("quirk", ["prefill-continue", "prefill-prefix"])
async def test_a_provider_that_knows_prefill_goes_on_by_it(
    fleet: Fleet, dies: Any, quirk: str
) -> None:
    item = long_one(fleet)
    fleet.providers["alpha"].faults = dies(6)
    with a_gateway(fleet, quirk) as gateway:
        async with a_client(gateway) as client:
            heard = await hear(client, item)
    assert heard.text == fleet.expected(item, MODEL)
    assert is_one_answer(heard)


@pytest.mark.parametrize(
    ("words", "quirks"),
    [(3, ()), (8, ()), (400, ()), (8, ("prefill-continue",)), (400, ("prefill-prefix",))],
)
async def test_what_the_other_home_repeats_is_heard_once(
    fleet: Fleet, words: int, quirks: tuple[str, ...]
) -> None:
    item = long_one(fleet)
    fleet.providers["alpha"].faults = Faults(cut=Cut(after_events=12))
    fleet.providers["beta"].faults = Faults(repeat=Repeat(words=words))
    with a_gateway(fleet, *quirks) as gateway:
        async with a_client(gateway) as client:
            heard = await hear(client, item)
    assert heard.text == fleet.expected(item, MODEL)


@pytest.mark.parametrize("words", [None, 4])
async def test_every_answer_is_heard_to_the_letter_wherever_it_was_cut(
    fleet: Fleet, gateway: RunningGateway, client: AsyncOpenAI, words: int | None
) -> None:
    if words is not None:
        fleet.providers["beta"].faults = Faults(repeat=Repeat(words=words))
    items = [item for item in fleet.workload(60, seed=3) if "tools" not in item.request]
    for number, item in enumerate(items):
        fleet.providers["alpha"].faults = Faults(cut=Cut(after_events=1 + number % 19))
        heard = await hear(client, item)
        gateway.forget()
        assert heard.text == fleet.expected(item, MODEL), number
        # Where all is out but the usage, nobody is asked for it.
        assert is_one_answer(heard) or (not heard.usages and len(heard.finishes) == 1)


async def test_homes_that_both_break_off_all_the_time_get_there_together(
    fleet: Fleet, gateway: RunningGateway, client: AsyncOpenAI
) -> None:
    item = long_one(fleet)
    for name in ("alpha", "beta"):
        fleet.providers[name].faults = Faults(cut=Cut(after_events=8))
    heard = await hear(client, item)
    assert heard.text == fleet.expected(item, MODEL)
    assert is_one_answer(heard)
    record = await asyncio.to_thread(gateway.last_record)
    assert {a.deployment for a in record.attempts} == {"alpha/sim-large", "beta/sim-large"}
    assert len(record.attempts) > 2


async def test_the_next_model_of_the_plan_goes_on_if_no_home_of_the_first_can(
    fleet: Fleet, gateway: RunningGateway, client: AsyncOpenAI
) -> None:
    item = long_one(fleet)
    fleet.providers["alpha"].faults = Faults(cut=Cut(after_events=8, models=(MODEL,)))
    fleet.providers["beta"].faults = Faults(errors=Errors(status=503, models=(MODEL,)))
    heard = await hear(client, item, "pinned")
    record = await asyncio.to_thread(gateway.last_record)
    after = record.attempts[-1].continues
    assert record.attempts[-1].model == record.model == "sim-medium"
    begun = fleet.expected(item, MODEL)[:after]
    assert heard.text == begun.rstrip() + fleet.continued(item, "sim-medium", begun)
    assert record.failovers == 2


async def test_json_goes_on_where_the_same_model_says_the_same_again(
    fleet: Fleet, gateway: RunningGateway, client: AsyncOpenAI
) -> None:
    item = long_one(fleet, "extraction", response_format=True)
    fleet.providers["alpha"].faults = Faults(cut=Cut(after_events=7))
    heard = await hear(client, item)
    assert heard.text == fleet.expected(item, MODEL)
    record = await asyncio.to_thread(gateway.last_record)
    assert record.usage.output_tokens == record.attempts[1].usage.output_tokens


async def test_json_is_begun_anew_by_another_model_if_that_says_again_what_was_sent(
    fleet: Fleet, gateway: RunningGateway, client: AsyncOpenAI
) -> None:
    item = long_one(fleet, "extraction", response_format=True)
    fleet.providers["alpha"].faults = Faults(cut=Cut(after_events=7, models=(MODEL,)))
    await fleet.providers["beta"].kill()
    heard = await hear(client, item, "pinned")
    record = await asyncio.to_thread(gateway.last_record)
    assert record.model != MODEL
    assert heard.text == fleet.expected(item, record.model)
    assert is_one_answer(heard)


async def test_json_that_nobody_begins_anew_ends_with_an_error(
    fleet: Fleet, gateway: RunningGateway, client: AsyncOpenAI
) -> None:
    item = long_one(fleet, "extraction", response_format=True)
    others = tuple(name for name in fleet.providers["alpha"].models if name != MODEL)
    for provider in fleet.providers.values():
        provider.faults = Faults(errors=Errors(status=503))
    fleet.providers["alpha"].faults = Faults(
        cut=Cut(after_events=7, models=(MODEL,)), errors=Errors(status=503, models=others)
    )
    with pytest.raises(openai.APIError, match="it was not continued: nobody else"):
        await hear(client, item, "pinned")
    record = await asyncio.to_thread(gateway.last_record)
    assert record.status == "error"
    assert record.error is not None
    assert "stream_broken: " in record.error


@pytest.mark.parametrize("events", [1, 2, 4])
async def test_a_tool_call_is_begun_anew_and_heard_once(
    fleet: Fleet, gateway: RunningGateway, client: AsyncOpenAI, events: int
) -> None:
    item = next(one for one in fleet.workload(4800) if one.kind == "agent-step")
    fleet.providers["alpha"].faults = Faults(cut=Cut(after_events=events))
    heard = await hear(client, item)
    assert f'"arguments":{heard.arguments}}}' in fleet.expected(item, MODEL)
    assert is_one_answer(heard)


async def test_a_tool_call_is_begun_anew_by_another_model_and_never_spliced(
    fleet: Fleet, gateway: RunningGateway, client: AsyncOpenAI
) -> None:
    item = next(one for one in fleet.workload(4800) if one.kind == "agent-step")
    fleet.providers["alpha"].faults = Faults(cut=Cut(after_events=2, models=(MODEL,)))
    fleet.providers["beta"].faults = Faults(errors=Errors(status=503, models=(MODEL,)))
    heard = await hear(client, item, "pinned")
    record = await asyncio.to_thread(gateway.last_record)
    assert record.model != MODEL
    assert f'"arguments":{heard.arguments}}}' in fleet.expected(item, record.model)
    assert is_one_answer(heard)


@pytest.mark.parametrize("said_by", ["policy", "header"])
async def test_who_prefers_an_error_to_a_continuation_gets_one(fleet: Fleet, said_by: str) -> None:
    item = long_one(fleet)
    fleet.providers["alpha"].faults = Faults(cut=Cut(after_events=8))
    policy = {"on_stream_break": "fail"} if said_by == "policy" else {}
    headers = {"x-tierwise-on-stream-break": "fail"} if said_by == "header" else None
    with a_gateway(fleet, **policy) as gateway:
        async with a_client(gateway) as client:
            with pytest.raises(openai.APIError, match="`on_stream_break` says so"):
                await hear(client, item, "pinned", extra_headers=headers)
            fleet.providers["alpha"].faults = Faults(cut=Cut(after_events=1))
            gateway.forget()
            heard = await hear(client, item, "pinned", extra_headers=headers)
    assert heard.text == fleet.expected(item, MODEL)


async def test_an_unknown_wish_for_broken_streams_is_refused_by_name(
    fleet: Fleet, client: AsyncOpenAI
) -> None:
    item = long_one(fleet)
    with pytest.raises(openai.BadRequestError, match="Use one of: continue, fail"):
        await hear(client, item, extra_headers={"x-tierwise-on-stream-break": "maybe"})


async def test_a_comment_before_the_end_says_who_went_on_and_after_how_much(
    fleet: Fleet, gateway: RunningGateway, client: AsyncOpenAI
) -> None:
    item = long_one(fleet)
    fleet.providers["alpha"].faults = Faults(cut=Cut(after_events=8))
    async with client.chat.completions.with_streaming_response.create(
        model=MODEL, stream=True, **item.request
    ) as response:
        raw = b"".join([part async for part in response.iter_bytes()])
    record = await asyncio.to_thread(gateway.last_record)
    after = record.attempts[1].continues
    note = f": tierwise continued by beta/sim-large after {after} characters\n\n"
    assert raw.endswith(note.encode() + b"data: [DONE]\n\n")


async def test_the_client_s_usage_is_of_the_whole_answer_and_every_call_is_billed(
    fleet: Fleet, gateway: RunningGateway, client: AsyncOpenAI
) -> None:
    item = long_one(fleet)
    whole = (await hear(client, item)).usages[0]
    gateway.forget()
    fleet.providers["alpha"].faults = Faults(cut=Cut(after_events=20))
    usage = (await hear(client, item)).usages[0]
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert usage.completion_tokens == pytest.approx(whole.completion_tokens, rel=0.5)
    assert usage.prompt_tokens == pytest.approx(whole.prompt_tokens, rel=0.3)
    record = await asyncio.to_thread(gateway.last_record)
    assert record.usage.output_tokens == usage.completion_tokens
    assert record.usage.input_tokens == usage.prompt_tokens
    assert all(a.cost_usd > 0 for a in record.attempts)
    assert record.cost_usd == pytest.approx(sum(a.cost_usd for a in record.attempts))


@pytest.mark.parametrize("held", [False, True], ids=["passing", "held"])
async def test_a_usage_that_is_lost_at_the_end_is_counted(fleet: Fleet, held: bool) -> None:
    item = long_one(fleet)
    gates = [{"model": MODEL, "gates": ["complete"]}, {"model": "sim-medium"}]
    with a_gateway(fleet, tiers=gates) as gateway:
        async with a_client(gateway) as client:
            name = "pinned" if held else MODEL
            events = (await hear(client, item, name)).events
            fleet.providers["alpha"].faults = Faults(cut=Cut(after_events=events - 1))
            heard = await hear(client, item, name)
            record = await asyncio.to_thread(gateway.last_record)
    assert heard.text == fleet.expected(item, MODEL)
    assert is_one_answer(heard)
    assert record.attempts[-1].estimated
    assert heard.usages[0].completion_tokens == record.usage.output_tokens


async def test_a_limit_of_tokens_is_for_both_halves_together(
    fleet: Fleet, gateway: RunningGateway, client: AsyncOpenAI
) -> None:
    item = long_one(fleet)
    fleet.providers["alpha"].faults = Faults(cut=Cut(after_events=8))
    heard = await hear(client, item, max_tokens=20)
    assert heard.finishes == ["length"]
    assert len(heard.text) < 40 * 4
    assert fleet.expected(item, MODEL).startswith(heard.text)


async def test_log_probabilities_and_several_choices_are_not_gone_on_with(
    fleet: Fleet, gateway: RunningGateway, client: AsyncOpenAI
) -> None:
    item = long_one(fleet)
    fleet.providers["alpha"].faults = Faults(cut=Cut(after_events=8))
    with pytest.raises(openai.APIError, match="log-probabilities"):
        await hear(client, item, logprobs=True)
    with pytest.raises(openai.APIError, match="several choices"):
        await hear(client, item, n=2)


async def test_a_client_that_leaves_ends_the_call_that_was_to_go_on(
    fleet: Fleet, gateway: RunningGateway, client: AsyncOpenAI
) -> None:
    item = long_one(fleet)
    fleet.providers["alpha"].faults = Faults(cut=Cut(after_events=8))
    fleet.providers["beta"].faults = Faults(stall=Stall(after_events=0))
    stream = await client.chat.completions.create(model=MODEL, stream=True, **item.request)
    async for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    beta = fleet.providers["beta"]
    await asyncio.to_thread(until, lambda: beta.requests, "the call that goes on")
    await stream.close()
    record = await asyncio.to_thread(gateway.last_record)
    assert record.status == "cancelled"
    assert [a.outcome for a in record.attempts] == ["stream_broken", "cancelled"]
    states = gateway.orchestrator.health.states.values()
    assert all(state.in_flight == 0 for state in states)
    await asyncio.to_thread(until, lambda: beta.counts.disconnected, "its end")


async def test_many_streams_that_break_at_once_leave_nothing_behind(source: Simulated) -> None:
    async with Fleet(source, speed=0.02) as fleet:
        config = fleet.config() | {"ledger": {"path": ":memory:", "store_content": True}}
        fleet.providers["alpha"].faults = Faults(cut=Cut(after_events=6, pause_s=0.02))
        item = long_one(fleet)
        async with Orchestrator.from_config(config) as orchestrator:
            before = our_tasks()

            async def listen(number: int) -> str:
                stream = await orchestrator.chat_stream(item.request["messages"], policy=MODEL)
                said = ""
                async for piece in stream:
                    said += piece
                    if number % 3 == 0 and len(said) > 10 + number:
                        break  # before, at or after the joint
                await stream.aclose()
                return said

            heard = await asyncio.gather(*(listen(number) for number in range(90)))
            assert our_tasks() == before
            assert not orchestrator._transport._connections._open
            assert all(s.in_flight == 0 for s in orchestrator.health.states.values())
    expected = fleet.expected(item, MODEL)
    assert {said for number, said in enumerate(heard) if number % 3} == {expected}
    assert all(expected.startswith(said) for said in heard)


def our_tasks() -> set[Any]:
    """All but those of the fleet's own servers."""
    return {task for task in asyncio.all_tasks() if "RequestHandler" not in repr(task)}


async def test_the_answer_that_is_kept_is_the_whole_one(source: Simulated) -> None:
    async with Fleet(source, speed=0.01) as fleet:
        config = fleet.config() | {"ledger": {"path": ":memory:", "store_content": True}}
        fleet.providers["alpha"].faults = Faults(cut=Cut(after_events=6))
        item = long_one(fleet)
        async with Orchestrator.from_config(config) as orchestrator:
            stream = await orchestrator.chat_stream(item.request["messages"], policy=MODEL)
            said = "".join([piece async for piece in stream])
            assert said == stream.run.answer == fleet.expected(item, MODEL)
