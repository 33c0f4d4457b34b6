"""A rejected draft may be shown to the next tier, where the policy allows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from builders import a_plan, a_stream, a_task, an_answer
from laboratory import Laboratory, a_laboratory
from tierwise.execution.hand_over import MOST_CHARS, handed_over
from tierwise.types import Completion, Plan, Task, Tier, ToolCall, Verdict
from upstream import Reply, fails, says, streams

GATED = Tier(model="small", gates=("picky", "wary"))
PLAN = a_plan(GATED, "large", hand_over=True)
both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
VERDICTS = (
    Verdict(gate="judge", p=0.1, reason="wrong sum"),
    Verdict(gate="complete", p=1.0, reason="whole"),
)


def answers(text: str, stream: bool, model: str) -> Reply:
    return streams(a_stream(text, model=model)) if stream else says(an_answer(text, model=model))


def scripts(stream: bool) -> dict[str, list[Reply]]:
    return {
        "small": [answers("doubtful", stream, "small")],
        "large": [answers("better", stream, "large")],
    }


def messages(lab: Laboratory, call: int = 0) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = lab.upstreams["large"][0].asked[call].json()["messages"]
    return found


@both
async def test_the_next_tier_sees_the_draft_as_data_and_why_it_was_rejected(stream: bool) -> None:
    async with a_laboratory(scripts(stream)) as lab:
        body = await lab.ask(a_task("Who?", stream=stream), PLAN)
        question, note = messages(lab)
        assert question == {"role": "user", "content": "Who?"}
        assert note["role"] == "user"
        assert "picky: looked for a word" in note["content"]
        assert "\ndoubtful\n</draft" in note["content"]
        # The client sees nothing of it, and the first tier saw nothing either.
        assert b"doubtful" not in body
        assert len(lab.upstreams["small"][0].asked[0].json()["messages"]) == 1


@both
async def test_unless_the_policy_says_so_nobody_sees_a_draft(stream: bool) -> None:
    async with a_laboratory(scripts(stream)) as lab:
        await lab.ask(a_task(stream=stream), a_plan(GATED, "large"))
        assert len(messages(lab)) == 1


@pytest.mark.parametrize("refusal", [fails(400, "roles must alternate"), fails(413, "too long")])
async def test_who_does_not_take_the_draft_is_asked_without(refusal: Reply) -> None:
    script = [refusal, answers("better", False, "large")]
    async with a_laboratory({"small": scripts(False)["small"], "large": [script]}) as lab:
        assert b"better" in await lab.ask(a_task(), PLAN)
        assert [len(messages(lab, call)) for call in (0, 1)] == [2, 1]


async def test_an_accepted_answer_is_not_handed_on() -> None:
    plan: Plan = a_plan(Tier(model="small", gates=("picky",)), "large", hand_over=True)
    async with a_laboratory({"small": [says(an_answer("fine"))], "large": [fails(500)]}) as lab:
        assert b"fine" in await lab.ask(a_task(), plan)
        assert lab.run.handed_over is None


def test_the_reasons_are_those_of_the_gates_that_spoke_against_it() -> None:
    task = handed_over(a_task(temperature=0.3), Completion(text="71"), VERDICTS)
    assert task is not None
    note = task.messages[-1].text
    assert "(judge: wrong sum)" in note
    assert "complete" not in note
    sent = json.loads(task.body)
    assert (sent["temperature"], sent["messages"][-1]["content"]) == (0.3, note)


@pytest.mark.parametrize(
    ("task", "draft"),
    [
        (a_task(tools=[TOOL]), Completion(text="71")),
        (a_task(), Completion(text="", tool_calls=(ToolCall(name="f", arguments="{}"),))),
        (a_task(response_format={"type": "json_object"}), Completion(text="{}")),
        (a_task(structured_outputs={"choice": ["a", "b"]}), Completion(text="c")),
        (a_task(guided_regex="a+"), Completion(text="c")),
        (a_task(n=2), Completion(text="71")),
        (a_task(), Completion(text="")),
        (a_task(), Completion(text="", refusal="no")),
        (a_task(), Completion(text="x" * (MOST_CHARS + 1))),
    ],
    ids=["tools", "a call", "JSON", "choices", "a pattern", "two", "nothing", "a refusal", "long"],
)
def test_a_draft_that_could_spoil_the_form_or_says_nothing_is_kept_back(
    task: Task, draft: Completion
) -> None:
    assert handed_over(task, draft, VERDICTS) is None
