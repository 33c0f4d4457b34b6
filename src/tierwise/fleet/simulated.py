"""Answers that are made up: models that do not exist, on tasks that can be checked."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import cached_property

from tierwise.fleet.draw import draw
from tierwise.fleet.lineup import LINE_UP, SimulatedModel
from tierwise.fleet.source import FleetModel, Said, WorkItem, count_tokens
from tierwise.fleet.tasks import MAKERS, Task, make_task

PER_KIND = 800
"""Tasks of each kind in the pool that every workload is drawn from."""
_EMPTY, _CUT_OFF = 0.08, 0.16
"""Of the wrong answers, this share is empty, and from there to the second one cut short."""
_OPENINGS = ("", "", "Sure. ", "Let us see. ", "Of course: ", "Here is how I see it. ")


class Simulated:
    """A source of answers that follow from a seed.

    Whether a model gets a task right is drawn with the probability `chance_of_right`, by a hash
    of seed, model and task: neither the order of requests nor the process plays a part. Every
    mistake is a plausible one; some a gate can see (empty, cut short, broken JSON, a missing
    field), some only the check of the task (a slipped sum, a wrong label, a program with a bug).
    """

    simulated = True
    reference = "sim-large"

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._abilities = {able.model.id: able for able in LINE_UP}
        self.models: Mapping[str, FleetModel] = {able.model.id: able.model for able in LINE_UP}

    def prepare(self) -> None:
        """Generates the pool, which takes a moment."""
        assert self._by_text  # noqa: S101 - it is never empty; this is what fills it

    def items(self) -> Sequence[WorkItem]:
        """The whole pool."""
        return list(self._by_text.values())

    def find(self, prompt: str) -> WorkItem | None:
        """The task with this text."""
        return self._by_text.get(prompt)

    def said(self, item: WorkItem, model: str, choice: int = 0) -> Said:
        """What a model makes of a task; further choices are drawn anew."""
        task = self._tasks[item.id]
        able = self._abilities[model]
        mark = (self._seed, model, item.id, choice)
        right = draw("right", *mark) < chance_of_right(able, task)
        text = task.right if right else _mistake(task, *mark)
        finish = "stop"
        if text is None:
            text, finish = task.right[: max(1, len(task.right) // 2)], "length"
        if not task.strict and text:
            text = _OPENINGS[int(draw("opening", *mark) * len(_OPENINGS))] + text
        tool = None
        if task.tool and finish == "stop" and text:
            tool, text = _split_call(text)
        confidence = (
            0.72 + 0.26 * draw("sure", *mark) if right else 0.45 + 0.45 * draw("unsure", *mark)
        )
        return Said(
            text=text,
            tool=tool,
            finish_reason=finish,
            input_tokens=self._input_tokens(item),
            output_tokens=count_tokens(text),
            confidence=confidence,
        )

    def score(self, item: WorkItem, _model: str, answer: str) -> float | None:
        """The check of the task, whoever answered."""
        return self._tasks[item.id].check(answer)

    def unknown(self, model: str, _prompt: str) -> str:
        """Says that it is simulated."""
        return (
            f"This is {model}, a simulated model of the Tierwise fleet. It knows the answers to "
            "its own generated tasks and to nothing else; configure a provider to ask a real model."
        )

    @cached_property
    def _tasks(self) -> dict[str, Task]:
        return {
            f"{kind}-{number}": make_task(kind, number, self._seed)
            for kind in MAKERS
            for number in range(1, PER_KIND + 1)
        }

    @cached_property
    def _by_text(self) -> dict[str, WorkItem]:
        return {
            str(task.request["messages"][-1]["content"]): WorkItem(
                id=task_id,
                request=task.request,
                kind=task.kind,
                domain=task.domain,
                difficulty=round(task.difficulty, 3),
            )
            for task_id, task in self._tasks.items()
        }

    def _input_tokens(self, item: WorkItem) -> int:
        return count_tokens(json.dumps(item.request))


def chance_of_right(able: SimulatedModel, task: Task) -> float:
    """P(right): a logistic curve of what the model can do over what the task demands."""
    skill = able.skill + (able.bonus if task.domain in able.model.specialises else 0.0)
    return 1.0 / (1.0 + math.exp(-(2.0 + 7.0 * (skill - task.difficulty))))


def _mistake(task: Task, *mark: object) -> str | None:
    """A wrong answer; None is the right one cut short."""
    kind = draw("mistake", *mark)
    if kind < _EMPTY:
        return ""
    if kind < _CUT_OFF:
        return None
    return task.wrong[int(draw("which", *mark) * len(task.wrong))]


def _split_call(text: str) -> tuple[str, str]:
    """Name and arguments of a tool call in the form of `call_text`."""
    call = json.loads(text)
    return call["name"], json.dumps(call["arguments"])
