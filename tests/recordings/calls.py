"""Recorded calls as parameters of tests: one that is skipped where there are no recordings."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest

from recordings.recorded import Interaction, recordings
from recordings.scope import Scope, scope_of
from tierwise.wire import sse

BESIDE = Path(__file__).parents[2].parent / "shared" / "cassettes"
FOLDER = Path(os.environ.get("TIERWISE_RECORDINGS", BESIDE))
ABSENT = f"no recordings at {FOLDER}; set TIERWISE_RECORDINGS"
Kind = Literal["whole", "stream", "error", "other"]


def kind_of(one: Interaction) -> Kind:
    """What was answered; `other` is something that is no JSON."""
    if one.status >= 300:
        return "error"
    if one.streamed:
        return "stream"
    return "whole" if one.answered.lstrip()[:1] == b"{" else "other"


def found(*adapters: str) -> Iterator[tuple[str, Interaction]]:
    """Name and call of each recorded question that one of these adapters asks."""
    for name, one in every():
        scope = scope_of(one)
        if isinstance(scope, Scope) and scope.kind == "answer" and scope.adapter in adapters:
            yield name, one


def calls(*adapters: str, kinds: tuple[Kind, ...] = ("whole", "stream", "error")) -> list[Any]:
    """Parameters of a test: the calls that these adapters make, and that were answered so."""
    return params((name, one) for name, one in found(*adapters) if kind_of(one) in kinds)


def objects_of(one: Interaction) -> list[Any]:
    """The answer's JSON: one object, or those of the events."""
    if not one.streamed:
        return [json.loads(one.answered)]
    payloads = [sse.payload(event) for event in sse.events(one.answered)]
    return [json.loads(data) for data in payloads if data not in (None, b"[DONE]")]


def params(found: Iterable[tuple[str, Interaction]]) -> list[Any]:
    """Parameters of a test: these calls, or one that is skipped."""
    some = [pytest.param(one, id=name) for name, one in found]
    return some or [pytest.param(None, marks=pytest.mark.skip(reason=ABSENT), id="absent")]


@cache
def every() -> tuple[tuple[str, Interaction], ...]:
    """Name and call of all that was recorded, of any sort."""
    return tuple(
        (f"{recording.name}-{number}", one)
        for recording in recordings(FOLDER)
        for number, one in enumerate(recording.interactions)
    )
