"""The queue at the door: fair among tenants, weighted among classes, and bounded."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tierwise.state.queue import PRIORITIES, FairQueue
from tierwise.types import Priority


class Item:
    """Told apart by identity."""

    def __init__(self, priority: Priority = "normal", tenant: str = "a") -> None:
        self.priority: Priority = priority
        self.tenant = tenant


def filled(most: int, *items: Item) -> FairQueue[Item]:
    queue: FairQueue[Item] = FairQueue(most)
    for item in items:
        assert queue.push(item, item.priority, item.tenant) is None
    return queue


def test_one_tenant_s_requests_come_out_as_they_went_in() -> None:
    items = [Item() for _ in range(5)]
    queue = filled(5, *items)
    assert [queue.pop() for _ in items] == items


def test_tenants_take_turns_however_many_each_has() -> None:
    many = [Item(tenant="many") for _ in range(10)]
    few = [Item(tenant="few") for _ in range(2)]
    queue = filled(20, *many, *few)
    assert [queue.pop().tenant for _ in range(5)] == ["many", "few", "many", "few", "many"]


def test_classes_are_served_by_weight_and_none_starves() -> None:
    queue = filled(300, *(Item(priority) for priority in PRIORITIES for _ in range(100)))
    served = Counter(queue.pop().priority for _ in range(105))
    assert served == {"high": 80, "normal": 20, "low": 5}


def test_a_class_that_had_nobody_waiting_has_saved_nothing_up() -> None:
    queue = filled(300, *(Item("normal") for _ in range(100)))
    for _ in range(50):
        queue.pop()
    for _ in range(50):
        item = Item("low")
        queue.push(item, item.priority, item.tenant)
    served = Counter(queue.pop().priority for _ in range(10))
    assert served["low"] <= 3


@pytest.mark.parametrize("earlier", PRIORITIES)
def test_what_a_class_had_in_an_earlier_crowd_is_not_held_against_it(earlier: Priority) -> None:
    queue: FairQueue[Item] = FairQueue(300)
    for _ in range(1000):  # whoever waited did so alone, long ago
        queue.push(Item(earlier), earlier, "a")
        queue.pop()
    for priority in PRIORITIES:
        for _ in range(100):
            queue.push(Item(priority), priority, "a")
    served = Counter(queue.pop().priority for _ in range(105))
    assert served == {"high": 80, "normal": 20, "low": 5}


def test_where_there_is_no_room_the_lowest_class_goes() -> None:
    low = Item("low")
    queue = filled(2, Item("normal"), low)
    assert queue.push(Item("high"), "high", "a") is low
    assert len(queue) == 2


def test_a_newcomer_of_the_lowest_class_is_turned_away() -> None:
    queue = filled(1, Item("normal"))
    low = Item("low")
    assert queue.push(low, "low", "a") is low
    assert len(queue) == 1


def test_within_a_class_whoever_has_most_gives_way() -> None:
    greedy = [Item(tenant="greedy") for _ in range(3)]
    queue = filled(3, *greedy)
    assert queue.push(Item(tenant="modest"), "normal", "modest") is greedy[-1]
    mine = Item(tenant="greedy")
    assert queue.push(mine, "normal", "greedy") is mine


def test_who_waits_no_longer_is_taken_out() -> None:
    first, second = Item(), Item()
    queue = filled(2, first, second)
    assert queue.remove(first, "normal", "a")
    assert not queue.remove(first, "normal", "a")
    assert queue.pop() is second
    with pytest.raises(IndexError):
        queue.pop()


def test_the_first_is_the_one_that_comes_out_next_and_stays_inside() -> None:
    queue = filled(9, Item("low"), Item("normal"), Item("high"), Item("normal", "b"))
    for left in range(4, 0, -1):
        first = queue.first()
        assert len(queue) == left
        assert queue.pop() is first
    with pytest.raises(IndexError):
        queue.first()


def test_it_knows_how_many_are_ahead() -> None:
    queue = filled(9, Item("high"), Item("normal"), Item("normal"), Item("low"))
    assert [queue.ahead_of(priority) for priority in PRIORITIES] == [1, 3, 4]


class Waiting(RuleBasedStateMachine):
    """Against a plain list: nobody is lost, nobody is served twice, the bound holds."""

    MOST = 6

    def __init__(self) -> None:
        super().__init__()
        self.queue: FairQueue[Item] = FairQueue(self.MOST)
        self.inside: list[Item] = []

    @rule(priority=st.sampled_from(PRIORITIES), tenant=st.sampled_from("abc"))
    def push(self, priority: Priority, tenant: str) -> None:
        item = Item(priority, tenant)
        full = len(self.inside) == self.MOST
        gone = self.queue.push(item, priority, tenant)
        assert (gone is not None) == full
        self.inside.append(item)
        if gone is not None:
            self.inside.remove(gone)
            assert PRIORITIES.index(gone.priority) >= PRIORITIES.index(priority)

    @rule()
    def pop(self) -> None:
        if self.inside:
            first = self.queue.first()
            item = self.queue.pop()
            assert item is first
            same = (item.priority, item.tenant)
            mine = [one for one in self.inside if (one.priority, one.tenant) == same]
            assert mine[0] is item
            self.inside.remove(item)

    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        if self.inside:
            item = data.draw(st.sampled_from(self.inside))
            assert self.queue.remove(item, item.priority, item.tenant)
            self.inside.remove(item)

    @invariant()
    def nobody_is_lost(self) -> None:
        assert len(self.queue) == len(self.inside) <= self.MOST


TestWaiting = Waiting.TestCase
TestWaiting.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
