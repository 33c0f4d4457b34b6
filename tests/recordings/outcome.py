"""Runs all checks of one recording, and says what came of them."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from recordings.checks import Check
from recordings.embeddings import embedding_problems
from recordings.recorded import Interaction, Recording
from recordings.scope import Scope, scope_of
from tierwise.errors import InvalidRequest
from upstream import Upstream


@dataclass(frozen=True)
class Outcome:
    """`problems` are in words; `skipped` is why nothing was checked, empty if something was."""

    name: str
    problems: tuple[str, ...] = ()
    skipped: str = ""


async def outcome_of(recording: Recording, upstream: Upstream) -> Outcome:
    """What came of a recording: of those of its calls that are ours to make."""
    if recording.wrong:
        return Outcome(recording.name, skipped=recording.wrong)
    problems: list[str] = []
    others: list[str] = []
    checked = False
    for number, one in enumerate(recording.interactions):
        scope = scope_of(one)
        if isinstance(scope, str):
            others.append(scope)
            continue
        checked = True
        problems += [f"call {number}: {what}" for what in await _problems(one, scope, upstream)]
    if not checked:
        return Outcome(recording.name, skipped="; ".join(dict.fromkeys(others)) or "it is empty")
    return Outcome(recording.name, tuple(problems))


async def _problems(one: Interaction, scope: Scope, upstream: Upstream) -> list[str]:
    try:
        if scope.kind == "embedding":
            return embedding_problems(one, scope)
        check = Check(one, scope, upstream)
        await check.run()
    except InvalidRequest as error:
        # Where the provider refused it, too, it need not be asked.
        return [] if 400 <= one.status < 500 else [f"refused: {error.message}"]
    except Exception:  # noqa: BLE001 - it is the outcome
        return [traceback.format_exc()]
    return check.problems
