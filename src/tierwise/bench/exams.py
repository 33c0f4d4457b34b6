"""Tasks with answers of about 2 kB that give gates something to do, made up and all different."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from tierwise.bench.prose import sentence, text
from tierwise.fleet.draw import dice
from tierwise.fleet.speak import pieces
from tierwise.types import Completion, Task, TokenLogprob, ToolCall
from tierwise.wire.openai_chat import read_request

CHARACTERS = 2000
_CONTEXT = 4000


class Exam(Struct, frozen=True):
    """A task and an answer to it that all gates let pass."""

    kind: str
    task: Task
    answer: Completion


def exams(count: int, seed: int) -> list[Exam]:
    """So many of each kind."""
    return [
        Exam(kind, *_with_logprobs(make(dice("exam", kind, seed, number)), number))
        for kind, make in _MAKERS.items()
        for number in range(count)
    ]


Made = tuple[Task, Completion]


def _prose(rng: random.Random) -> Made:
    prompt = f"Answer in English. Tell me what the depot is like, and why. {text(rng, 400)}"
    paragraphs = "\n\n".join(text(rng, CHARACTERS // 4) for _ in range(4))
    return _task(prompt), _said(paragraphs)


def _code(rng: random.Random) -> Made:
    lines: list[str] = []
    while sum(map(len, lines)) < CHARACTERS - 300:
        name, number = f"count_{rng.randrange(10_000)}", rng.randint(2, 90)
        lines += [
            f"def {name}(items, limit={number}):",
            f'    """{sentence(rng)}"""',
            "    found = []",
            "    for place, item in enumerate(items):",
            f"        if item % {number} == 0 and place < limit:",
            f"            found.append((place, item + {number}))",
            "    return sorted(found, key=lambda pair: pair[1])",
            "",
            "",
        ]
    answer = f"{sentence(rng)}\n\n```python\n{chr(10).join(lines)}```\n\n{sentence(rng)}"
    return _task(f"Write Python functions for this. {text(rng, 400)}"), _said(answer)


def _json(rng: random.Random) -> Made:
    rows: list[dict[str, Any]] = []
    while len(json.dumps(rows)) < CHARACTERS - 200:
        row = {"id": rng.randrange(10**6), "note": sentence(rng), "amount": rng.random() * 100}
        rows.append({**row, "tags": [str(rng.randrange(90)) for _ in range(3)]})
    schema = {
        "type": "object",
        "properties": {"rows": {"type": "array", "items": _ROW}},
        "required": ["rows"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "rows", "schema": schema}}
    task = _task(f"Extract all rows from this. {text(rng, 400)}", response_format=form)
    return task, _said(json.dumps({"rows": rows}, indent=1))


def _tool_calls(rng: random.Random) -> Made:
    function = {"name": "store", "description": "Stores a row.", "parameters": _ROW}
    calls = tuple(
        ToolCall(
            name="store",
            arguments=json.dumps(
                {"id": number, "note": text(rng, 120), "amount": rng.random(), "tags": ["a", "b"]}
            ),
            id=f"call_{number}",
        )
        for number in range(10)
    )
    task = _task(
        f"Store every row of this. {text(rng, 400)}",
        tools=[{"type": "function", "function": function}],
    )
    return task, Completion(text="", finish_reason="tool_calls", tool_calls=calls)


def _arithmetic(rng: random.Random) -> Made:
    lines: list[str] = []
    total = 0
    while sum(map(len, lines)) < CHARACTERS - 100:
        count, price = rng.randint(2, 90), rng.randint(2, 90)
        total += count * price
        lines.append(f"{sentence(rng)} {sentence(rng)}")
        lines.append(f"That makes {count} * {price} = {count * price} dollars.")
    lines.append(f"The answer is {total}")
    prompt = f"How much does all of it cost, and how many are there? {text(rng, 400)}"
    return _task(prompt), _said("\n".join(lines))


def _citations(rng: random.Random) -> Made:
    sources = [text(rng, _CONTEXT // 8) for _ in range(8)]
    context = "\n".join(f"[{number}] {source}" for number, source in enumerate(sources, 1))
    lines: list[str] = []
    while sum(map(len, lines)) < CHARACTERS - 100:
        place = rng.randrange(len(sources))
        quoted = sources[place].split(". ")[0]
        lines.append(f'{sentence(rng)} The source says "{quoted}" [{place + 1}].')
    prompt = f"Answer from these sources and quote them.\n{context}\n\nWhat is the depot like?"
    return _task(prompt), _said("\n".join(lines))


_ROW = {
    "type": "object",
    "properties": {
        "id": {"type": "integer", "minimum": 0},
        "note": {"type": "string", "minLength": 1},
        "amount": {"type": "number"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["id", "note"],
    "additionalProperties": False,
}
_MAKERS: dict[str, Callable[[random.Random], Made]] = {
    "prose": _prose,
    "code": _code,
    "json": _json,
    "tool calls": _tool_calls,
    "arithmetic": _arithmetic,
    "citations": _citations,
}


def _task(prompt: str, **fields: Any) -> Task:
    body = {"model": "auto", "messages": [{"role": "user", "content": prompt}], **fields}
    return read_request(json.dumps(body).encode())


def _said(said: str) -> Completion:
    return Completion(text=said, finish_reason="stop")


def _with_logprobs(made: Made, number: int) -> Made:
    """With a log-probability for every token, as the gate `token_confidence` reads them."""
    task, answer = made
    rng = dice("logprobs", number)
    told = tuple(
        TokenLogprob(token, -rng.random(), -1.0 - rng.random()) for token in pieces(answer.text)
    )
    return task, replace(answer, logprobs=told)
