"""An answer that was cut off is continued, to the letter or from the beginning."""

from __future__ import annotations

import pytest

from tierwise.fleet.faults import Faults, Repeat

MODEL = "sim-large"
NOTE = {"role": "user", "content": "You were cut off. Please continue."}


@pytest.fixture
def item(fleet, first):
    return first(fleet, "math")


def said_so_far(fleet, item):
    return fleet.expected(item, MODEL)[:17]


def by_note(said):
    return {"messages": [{"role": "assistant", "content": said}, NOTE]}


def by_prefix(said):
    return {"messages": [{"role": "assistant", "content": said, "prefix": True}]}


def by_flag(said):
    return {
        "messages": [{"role": "assistant", "content": said}],
        "continue_final_message": True,
    }


async def answered(fleet, client, item, way, said, model=MODEL, **fields):
    more = way(said)
    messages = [*item.request["messages"], *more.pop("messages")]
    body = {"model": model, **item.request, "messages": messages, **more, **fields}
    reply = await client.post(fleet.providers["alpha"], body)
    assert reply.status == 200, reply.body
    return reply.json()


each_way = pytest.mark.parametrize("way", [by_note, by_prefix, by_flag])


@each_way
@pytest.mark.parametrize("words", [0, 2, 1000])
async def test_what_was_said_is_continued_to_the_letter(fleet, client, item, way, words):
    said = said_so_far(fleet, item)
    if words:
        fleet.providers["alpha"].faults = Faults(repeat=Repeat(words=words))
    answer = await answered(fleet, client, item, way, said)
    text = answer["choices"][0]["message"]["content"]
    whole = fleet.expected(item, MODEL)
    assert text.endswith(whole[len(said) :])
    assert fleet.continued(item, MODEL, said + " \n") == whole[len(said) :]
    repeated = text.removesuffix(whole[len(said) :])
    assert said.endswith(repeated)
    assert len(repeated.split()) == min(words, len(said.split()))


@each_way
async def test_a_model_that_would_not_have_said_it_begins_from_the_beginning(
    fleet, client, item, way
):
    answer = await answered(fleet, client, item, way, "Quite another answer")
    assert answer["choices"][0]["message"]["content"] == fleet.expected(item, MODEL)


async def test_a_rest_is_billed_as_a_rest_and_what_was_said_as_input(fleet, client, item):
    whole = (await client.ask(fleet.providers["alpha"], item, MODEL)).json()["usage"]
    said = fleet.expected(item, MODEL)[:-20]
    rest = (await answered(fleet, client, item, by_note, said))["usage"]
    assert 0 < rest["completion_tokens"] < whole["completion_tokens"]
    assert rest["prompt_tokens"] > whole["prompt_tokens"]


async def test_a_rest_can_be_cut_short_by_a_limit(fleet, client, item):
    said = said_so_far(fleet, item)
    answer = await answered(fleet, client, item, by_note, said, max_tokens=2)
    choice = answer["choices"][0]
    assert choice["finish_reason"] == "length"
    assert fleet.expected(item, MODEL)[len(said) :].startswith(choice["message"]["content"])


async def test_a_last_message_by_the_assistant_that_is_not_marked_is_only_a_turn(
    fleet, client, item
):
    def unmarked(said):
        return {"messages": [{"role": "assistant", "content": said}]}

    answer = await answered(fleet, client, item, unmarked, said_so_far(fleet, item))
    assert "simulated model" in answer["choices"][0]["message"]["content"]


async def test_a_user_who_says_thanks_does_not_ask_to_go_on(fleet, client, item):
    def thanks(said):
        thanked = {"role": "user", "content": "Thank you."}
        return {"messages": [{"role": "assistant", "content": said}, thanked]}

    answer = await answered(fleet, client, item, thanks, said_so_far(fleet, item))
    assert "simulated model" in answer["choices"][0]["message"]["content"]
