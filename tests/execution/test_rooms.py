"""The rooms before full models: who waits, who gets the next place, and who goes on at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from builders import a_decision, a_deployment, a_plan, a_task, an_answer
from laboratory import a_laboratory
from tierwise.execution import Rooms, Run
from tierwise.execution.paths import Step
from tierwise.state.health import Health
from tierwise.state.queue import PRIORITIES
from tierwise.types import Deployment, Limits, Priority, Task, Tier
from upstream import says

from .test_stand_in import candidate

LARGE = Step(Tier(model="large"), 1, False)
SPARE = candidate("small", 0.6, 0.001)
PATIENT_S = 30.0


class Place:
    """One model with places for so many calls at a time, and the rooms before it."""

    def __init__(self, *calls: int, most: int = 1000) -> None:
        self.places = [
            a_deployment("large", f"p{number}", limits=Limits(concurrency=one))
            for number, one in enumerate(calls)
        ]
        self.health = Health(self.places, lambda: 0.0)
        self.rooms = Rooms(self.health, most)

    def takes(self) -> Deployment:
        """Takes a place that is free."""
        place = self.health.order(self.places)[0]
        self.health.started(place)
        return place

    async def wait(self, run: Run) -> Deployment | None:
        """Waits, and takes the place that comes of it."""
        place = await self.rooms.place(LARGE, run)
        if place is not None:
            self.health.started(place)
        return place

    def run(
        self,
        task: Task | None = None,
        places: list[Deployment] | None = None,
        gain: float = 1.0,
        wait_s: float = PATIENT_S,
        otherwise: bool = True,
    ) -> Run:
        """A request for which the model's answer is so much better than another's."""
        plan = a_plan("large", fallbacks=("small",) if otherwise else (), wait_s=wait_s)
        known = (candidate("large", 0.6 + gain, 0.01), SPARE)
        decision = a_decision(plan, candidates=known)
        paths: Mapping[str, Any] = {"large": self.places if places is None else places}
        return Run(task or a_task(deadline=1e9), decision, paths, lambda: 0.0)


async def settled() -> None:
    """Lets everything happen that need not wait."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_whoever_would_lose_much_waits_and_gets_the_place_that_comes_free() -> None:
    one = Place(1)
    taken = one.takes()
    waiting = asyncio.create_task(one.wait(one.run()))
    await settled()
    assert not waiting.done()
    one.health.left(taken)
    assert await waiting == taken


async def test_whoever_would_lose_little_goes_on_at_once() -> None:
    one = Place(1)
    one.takes()
    assert await one.rooms.place(LARGE, one.run(gain=1e-5)) is None


async def test_nobody_waits_for_longer_than_it_is_worth() -> None:
    one = Place(1)
    one.takes()
    one.health.states["p0/large"].pace.saw(0.0, 0.001, None, None, 60.0)
    # A thousandth of a point is worth half a millisecond's wait, a fifth of a point 10 ms.
    assert await one.rooms.place(LARGE, one.run(gain=0.0002)) is None
    assert not one.rooms.queued(one.places)


async def test_whoever_would_be_behind_too_many_goes_on_at_once() -> None:
    one = Place(1)
    for _ in range(30):
        one.health.succeeded(one.places[0], 1.0, None)
    one.takes()
    waiting = [asyncio.create_task(one.wait(one.run())) for _ in range(9)]
    await settled()
    late = asyncio.create_task(one.wait(one.run(gain=0.1)))  # worth five seconds, not ten
    await settled()
    assert late.done()
    assert late.result() is None
    first = replace(a_task(deadline=1e9), priority="high")
    waiting.append(asyncio.create_task(one.wait(one.run(first, gain=0.1))))
    await settled()
    assert not any(task.done() for task in waiting)
    for task in waiting:
        task.cancel()


async def test_nobody_waits_for_longer_than_the_plan_does() -> None:
    one = Place(1)
    one.takes()
    assert await one.rooms.place(LARGE, one.run(wait_s=0.0)) is None
    one.health.states["p0/large"].pace.saw(0.0, 0.001, None, None, 60.0)
    assert await one.rooms.place(LARGE, one.run(wait_s=0.01)) is None


async def test_while_somebody_waits_a_newcomer_goes_behind() -> None:
    one = Place(1)
    taken = one.takes()
    assert not one.rooms.queued(one.places)
    waiting = asyncio.create_task(one.wait(one.run()))
    await settled()
    assert one.rooms.queued(one.places)
    one.health.left(taken)
    # There is room again, but it is promised; nor is it a last resort for who does not wait.
    assert not one.health.order(one.places)
    assert not one.health.last_resorts(one.places)
    assert one.health.is_full(one.places)
    assert one.rooms.queued(one.places)
    await waiting
    await settled()
    assert not one.rooms.queued(one.places)


async def test_higher_priorities_are_served_first_and_tenants_in_turn() -> None:
    one = Place(1)
    taken = one.takes()
    order: list[str] = []

    async def client(name: str, priority: Priority, tenant: str) -> None:
        task = a_task(deadline=1e9, caller=tenant)
        place = await one.wait(one.run(_with_priority(task, priority)))
        assert place is not None
        order.append(name)
        await settled()
        one.health.left(place)

    async with asyncio.TaskGroup() as clients:
        for name, priority, tenant in (
            ("a1", "normal", "a"), ("a2", "normal", "a"), ("b1", "normal", "b"),
            ("high", "high", "c"),
        ):  # fmt: skip
            clients.create_task(client(name, priority, tenant))  # type: ignore[arg-type]
            await settled()
        one.health.left(taken)
    assert order.index("high") < 2
    assert [name for name in order if name != "high"] == ["a1", "b1", "a2"]


def _with_priority(task: Task, priority: Priority) -> Task:
    return replace(task, priority=priority)


async def test_where_a_room_is_full_the_lowest_priority_goes_on_without_a_place() -> None:
    one = Place(1, most=1)
    taken = one.takes()
    low = asyncio.create_task(one.wait(one.run(_with_priority(a_task(deadline=1e9), "low"))))
    await settled()
    high = asyncio.create_task(one.wait(one.run(_with_priority(a_task(deadline=1e9), "high"))))
    assert await low is None
    one.health.left(taken)
    assert await high == taken


async def test_without_rooms_nobody_waits() -> None:
    one = Place(1, most=0)
    one.takes()
    assert await one.rooms.place(LARGE, one.run()) is None


async def test_a_thousand_who_leave_at_once_hold_nobody_up() -> None:
    one = Place(1)
    taken = one.takes()
    gone = [asyncio.create_task(one.wait(one.run())) for _ in range(1000)]
    await settled()
    last = asyncio.create_task(one.wait(one.run(_with_priority(a_task(deadline=1e9), "high"))))
    await settled()
    for each in gone:
        each.cancel()
    one.health.left(taken)
    assert await last == taken


async def test_whoever_leaves_as_its_turn_comes_gives_its_place_back() -> None:
    one = Place(1)
    taken = one.takes()
    waiting = asyncio.create_task(one.wait(one.run()))
    await settled()
    one.health.left(taken)
    waiting.cancel()
    await settled()
    assert waiting.cancelled()
    assert one.takes() == taken
    assert one.health.states["p0/large"].in_flight == 1


async def test_when_the_place_is_out_those_who_wait_for_it_go_on() -> None:
    one = Place(1)
    taken = one.takes()
    waiting = [asyncio.create_task(one.wait(one.run())) for _ in range(3)]
    await settled()
    one.health.drain(taken)
    one.health.left(taken)
    assert await asyncio.gather(*waiting) == [None] * 3


async def test_two_rooms_of_one_model_do_not_give_the_same_place_away_twice() -> None:
    one = Place(1)
    other = a_deployment("large", "p9", limits=Limits(concurrency=1))
    one.health = Health([*one.places, other], lambda: 0.0)
    one.rooms = Rooms(one.health)
    taken = one.takes()
    one.health.started(other)
    first = asyncio.create_task(one.wait(one.run()))
    second = asyncio.create_task(one.wait(one.run(places=[*one.places, other])))
    await settled()
    one.health.left(taken)
    await settled()
    assert one.health.states["p0/large"].in_flight == 1
    one.health.left(taken)
    assert await asyncio.gather(first, second) == [taken, taken]


async def test_an_allowance_of_a_minute_comes_back_without_a_word() -> None:
    large = says(an_answer("Large.", model="large"))
    async with a_laboratory(
        {"small": [says(an_answer())], "large": [large]}, limits=Limits(rpm=600)
    ) as lab:
        lab.candidates = (candidate("large", 0.9, 0.01), SPARE)
        limiter = lab.health.states["p0/large"].limiter
        assert limiter is not None
        for _ in range(600):
            limiter.take(lab.clock(), 0)
        plan = a_plan("large", fallbacks=("small",), wait_s=PATIENT_S)
        assert b"Large." in await lab.ask(a_task(deadline=lab.clock() + PATIENT_S), plan)


@pytest.mark.parametrize(("gain", "who"), [(0.3, b"Large."), (0.0001, b"Paris.")])
async def test_on_its_way_a_request_waits_only_where_that_is_worth_it(
    gain: float, who: bytes
) -> None:
    large = says(an_answer("Large.", model="large"))
    async with a_laboratory(
        {"small": [says(an_answer())], "large": [large]}, limits=Limits(concurrency=1)
    ) as lab:
        lab.candidates = (candidate("large", 0.6 + gain, 0.01), SPARE)
        plan = a_plan("large", fallbacks=("small",), wait_s=PATIENT_S)
        place = lab.deployment("large")
        lab.health.started(place)
        asyncio.get_running_loop().call_later(0.05, lab.health.left, place)
        assert who in await lab.ask(a_task(deadline=lab.clock() + PATIENT_S), plan)
        await asyncio.sleep(0.06)
        assert lab.health.states[place.id].in_flight == 0


class Rush(RuleBasedStateMachine):
    """Requests come, wait, begin, end and leave in any order, between any rounds of the loop."""

    MOST = 4

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.at = Place(2, 1, most=self.MOST)
        self.waiting: dict[asyncio.Task[None], tuple[Priority, str, int]] = {}
        self.running: list[Deployment] = []
        self.came = self.over = 0

    def teardown(self) -> None:
        for task in list(self.waiting):
            task.cancel()
        self._rounds(10)
        self.loop.close()

    def _rounds(self, count: int) -> None:
        async def rest() -> None:
            for _ in range(count):
                await asyncio.sleep(0)

        self.loop.run_until_complete(rest())

    @rule(priority=st.sampled_from(PRIORITIES), tenant=st.sampled_from("ab"), one=st.booleans())
    def comes(self, priority: Priority, tenant: str, one: bool) -> None:
        places = self.at.places[:1] if one else self.at.places
        task = _with_priority(a_task(deadline=1e9, caller=tenant), priority)
        run = self.at.run(task, places)
        mine = (priority, tenant, len(places))
        ahead = mine in self.waiting.values()
        ready = self.at.health.order(places)
        queued = bool(ready) and self.at.rooms.queued(places)
        self.came += 1
        if ready and not queued:
            assert not ahead, "a newcomer overtook somebody who waits"
            self._begins(ready[0])
            return

        async def client() -> None:
            try:
                place = await self.at.rooms.place(LARGE, run)
            finally:
                same = [task for task, key in self.waiting.items() if key == mine]
                first = same[0] is asyncio.current_task()
                del self.waiting[asyncio.current_task()]  # type: ignore[arg-type]
            if place is None:
                self.over += 1
            else:
                assert first, "somebody of the same tenant and priority was overtaken"
                assert place in places
                self._begins(place)

        self.waiting[self.loop.create_task(client())] = mine

    def _begins(self, place: Deployment) -> None:
        self.at.health.started(place)
        self.running.append(place)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def ends(self, data: st.DataObject) -> None:
        place = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))

        async def end() -> None:
            self.at.health.left(place)

        self.loop.run_until_complete(end())
        self.over += 1

    @precondition(lambda self: self._staying())
    @rule(data=st.data())
    def leaves(self, data: st.DataObject) -> None:
        staying = self._staying()
        task = staying[data.draw(st.integers(0, len(staying) - 1))]
        task.cancel()
        self.over += 1
        task.add_done_callback(self._left)

    def _staying(self) -> list[asyncio.Task[None]]:
        return [task for task in self.waiting if not task.cancelling()]

    def _left(self, task: asyncio.Task[None]) -> None:
        self.waiting.pop(task, None)  # it may never have begun

    @rule(count=st.integers(1, 3))
    def time_passes(self, count: int) -> None:
        self._rounds(count)

    @rule()
    def all_is_quiet(self) -> None:
        self._rounds(30)
        assert self.came == len(self.waiting) + len(self.running) + self.over
        inside = sum(len(room.queue) for room in self.at.rooms._rooms.values())
        assert inside == len(self.waiting)
        for size in {size for _, _, size in self.waiting.values()}:
            free = self.at.health.order(self.at.places[:size])
            assert not free, "somebody waits though there is a place"

    @invariant()
    def no_place_is_taken_twice(self) -> None:
        for place in self.at.places:
            taken = self.at.health.states[place.id].in_flight
            assert taken == self.running.count(place)
            assert taken <= (place.limits.concurrency or 0)

    @invariant()
    def rooms_are_bounded(self) -> None:
        assert all(len(room.queue) <= self.MOST for room in self.at.rooms._rooms.values())


TestRush = Rush.TestCase
TestRush.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
