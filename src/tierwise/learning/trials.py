"""Recorded answers as trials of a policy: what tiers answered, what gates say, who was right."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import exp
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from tierwise.analysis import classify, measure
from tierwise.catalog import Catalog
from tierwise.errors import ConfigError, RequestError
from tierwise.gates import Gate, load_gates
from tierwise.gates.token_confidence import TokenConfidenceGate
from tierwise.learning.calibrate import Labelled
from tierwise.learning.outcomes import Outcomes, read_outcomes
from tierwise.parquet import Table
from tierwise.types import Completion, Model, Prices, Task
from tierwise.wire.openai_chat import read_request

TOKENS = TokenConfidenceGate.name
"""The gate that judges by token log-probabilities; recorded ones stand in for it.

A recorded one is the logarithm of what the gate would give: the probability of a short answer as a
whole, of a longer one's tokens in the geometric mean.
"""
REFUSAL = "refusal"
LEAST_LOGPROB = -100.0
_FREE = Prices(input=0.0, output=0.0)


class Trials(Struct, frozen=True, kw_only=True):
    """n requests, t tiers in the order in which they are asked, and the reference behind them.

    `answers` has t labelled answers for each request; `costs` (n, t) and `reference_costs` (n,)
    are USD; `reference_right` (n,) says whether the reference was right; `lengths` (n,) counts
    characters of the first tier's answer and `novelty` (n,) is the request's, NaN where unknown.
    `traffic` is each request's class.
    """

    reference: str
    tiers: tuple[str, ...]
    sources: tuple[str, ...]
    traffic: list[str]
    answers: list[tuple[Labelled, ...]]
    costs: NDArray[np.float64]
    reference_costs: NDArray[np.float64]
    reference_right: NDArray[np.bool_]
    lengths: NDArray[np.float64]
    novelty: NDArray[np.float64]
    notes: tuple[str, ...] = ()

    def rows(self, keep: NDArray[np.intp]) -> Trials:
        """Only these requests."""
        return replace(
            self,
            traffic=[self.traffic[row] for row in keep],
            answers=[self.answers[row] for row in keep],
            costs=self.costs[keep],
            reference_costs=self.reference_costs[keep],
            reference_right=self.reference_right[keep],
            lengths=self.lengths[keep],
            novelty=self.novelty[keep],
        )

    def wrong(self) -> NDArray[np.bool_]:
        """Where a tier was wrong and the reference right, (n, t)."""
        right = np.array([[answer.right >= 0.5 for answer in row] for row in self.answers])
        lost: NDArray[np.bool_] = ~right & self.reference_right[:, None]
        return lost


def read_trials(
    folders: Sequence[Path],
    reference: str,
    tiers: Sequence[str],
    gates: Sequence[str],
    datasets: Sequence[str] = (),
    *,
    by: str = "",
    artifact: Path | None = None,
    models: Mapping[str, Model] | None = None,
) -> Trials:
    """Reads recorded outcomes and lets the gates judge the recorded answers.

    Requests without a score or a cost of every one of these models are left out.

    Args:
        gates: those that judge; recorded log-probabilities count if `token_confidence` is one.
        by: what makes the classes of traffic: "dataset", "kind" as analysis finds it, or "".
        artifact: a router, for what it expects of the tiers; it must not have learned from these
            very requests, or it expects too much of itself.
        models: what is configured of the tiers, where that differs from the catalogue.

    Raises:
        ConfigError: the data is bad, a model or a gate unknown, or nothing is left.
    """
    chosen, dropped = _complete(read_outcomes(folders, datasets), reference, tiers)
    said = {folder.resolve().name: _responses(folder, tiers) for folder in folders}
    judging = _judging(gates)
    look = _look(by, artifact, tiers, models or {})
    traffic: list[str] = []
    answers: list[tuple[Labelled, ...]] = []
    lengths, novelty = np.full((2, len(chosen.prompts)), np.nan)
    for row, prompt in enumerate(chosen.prompts):
        task = _task(prompt.text)
        seen = look(task)
        traffic.append(prompt.dataset if by == "dataset" else seen.kind if by else "")
        novelty[row] = seen.novelty
        recorded = [said[prompt.source].get((prompt.id, tier), _NOTHING) for tier in tiers]
        if recorded[0].text is not None:
            lengths[row] = len(recorded[0].text)
        answers.append(
            tuple(
                Labelled(
                    verdicts=_verdicts(task, one, judging),
                    right=float(score),
                    expected=seen.expected.get(tier),
                )
                for tier, one, score in zip(tiers, recorded, chosen.scores[row], strict=False)
            )
        )
    unread = TOKENS not in gates and any(
        one.logprob is not None for said_by in said.values() for one in said_by.values()
    )
    return Trials(
        reference=reference,
        tiers=tuple(tiers),
        sources=tuple(chosen.sources),
        traffic=traffic,
        answers=answers,
        costs=chosen.costs[:, :-1],
        reference_costs=chosen.costs[:, -1],
        reference_right=chosen.scores[:, -1] >= 0.5,
        lengths=lengths,
        novelty=novelty,
        notes=(*chosen.notes, *_notes(dropped, unread=unread)),
    )


def _notes(dropped: int, *, unread: bool) -> tuple[str, ...]:
    notes = []
    if dropped:
        notes.append(f"{dropped:,} prompts without a score and a cost of every model were left out")
    if unread:
        notes.append(f"the recorded log-probabilities are not used: {TOKENS} is not a gate of it")
    return tuple(notes)


def _judging(names: Sequence[str]) -> dict[str, Gate]:
    """The gates of these names.

    Raises:
        ConfigError: one is unknown, or waits for something that recordings do not have.
    """
    found: dict[str, Gate] = {}
    for name, gate in load_gates(names).items():
        if not isinstance(gate, Gate):
            raise ConfigError(
                f"{name} cannot judge recordings: it waits for a process or a model",
                field="gates",
                remedy="Leave it out of the policy that is calibrated.",
            )
        found[name] = gate
    return found


def _complete(outcomes: Outcomes, reference: str, tiers: Sequence[str]) -> tuple[Outcomes, int]:
    """The tiers and, last, the reference, where all of them have a score and a cost; and how many
    requests were left out.

    Raises:
        ConfigError: a model is unknown, they make no cascade, or nothing is left.
    """
    models = [*tiers, reference]
    unknown = sorted(set(models) - set(outcomes.models))
    if unknown:
        raise ConfigError(
            f"no outcomes of {', '.join(unknown)}",
            field="--outcomes",
            remedy=f"There are: {', '.join(outcomes.models)}.",
        )
    if reference in tiers or not tiers:
        raise ConfigError(
            "a reference behind at least one other model is needed",
            field="--tiers",
            remedy="Name the models to be asked before the reference.",
        )
    chosen = outcomes.only(models)
    gaps = np.isnan(chosen.scores) | np.isnan(chosen.costs)
    bare: NDArray[np.bool_] = np.asarray(gaps.any(axis=1))
    if bare.all():
        raise ConfigError(
            f"no prompt has a score and a cost of every one of {', '.join(models)}",
            field="--outcomes",
        )
    return chosen.rows(~bare), int(bare.sum())


class _Recorded(Struct, frozen=True):
    text: str | None = None
    logprob: float | None = None


_NOTHING = _Recorded()


def _responses(folder: Path, tiers: Sequence[str]) -> dict[tuple[str, str], _Recorded]:
    table = Table(
        folder / "outcomes.parquet",
        ("prompt_id", "model"),
        optional=("response", "logprob"),
        remedy="It needs `prompt_id` and `model`.",
    )
    texts = table.texts_or_none("response")
    logprobs = table.numbers("logprob", most=0.0, least=LEAST_LOGPROB)
    return {
        (prompt, model): _Recorded(text, logprob)
        for prompt, model, text, logprob in zip(
            table.texts("prompt_id"), table.texts("model"), texts, logprobs, strict=True
        )
        if model in tiers
    }


class _Seen(Struct, frozen=True, kw_only=True):
    """What analysis and router make of a request: the quality expected of tiers, by name."""

    kind: str = ""
    expected: Mapping[str, float] = {}
    novelty: float = float("nan")


def _look(
    by: str, artifact: Path | None, tiers: Sequence[str], known: Mapping[str, Model]
) -> Callable[[Task], _Seen]:
    """A function that looks at a request, with as much as is asked for."""
    if artifact is None:
        if by != "kind":
            return lambda _task: _Seen()
        # As a gateway without a router finds it.
        return lambda task: _Seen(kind=classify(measure(task)).kind)
    from tierwise.routing.build import load_brain

    catalog = Catalog.builtin()
    models = {
        name: known.get(name) or catalog.resolve(name) or Model(id=name, prices=_FREE)
        for name in tiers
    }
    models = {name: replace(model, id=name) for name, model in models.items()}
    # The others count too: how far a router believes itself depends on who is configured.
    brain = load_brain(str(artifact), {**known, **models}, catalog)

    def look(task: Task) -> _Seen:
        found = brain.analyst.analyse(task)
        said = brain.predictor.estimates(found.profile, found.reading, models.values(), {})
        return _Seen(
            kind=found.profile.kind,
            expected={name: estimate.quality for name, estimate in said.items()},
            novelty=next(iter(said.values())).novelty,
        )

    return look


def _task(prompt: str) -> Task:
    body = {"model": "auto", "messages": [{"role": "user", "content": prompt}]}
    return read_request(msgspec.json.encode(body))


def _verdicts(task: Task, said: _Recorded, gates: Mapping[str, Gate]) -> dict[str, float]:
    found: dict[str, float] = {}
    if said.text is not None:
        answer = Completion(text=said.text, finish_reason="stop")
        for name, gate in gates.items():
            try:
                verdict = gate.judge(task, answer)
            except RequestError:
                continue
            if verdict is not None:
                found[name] = verdict.p
    if said.logprob is not None and TOKENS in gates:
        found.setdefault(TOKENS, exp(said.logprob))
    return found
