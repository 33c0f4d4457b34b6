"""A cascade that has learned nothing: what judging by one costs does not depend on its weights."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from tierwise.analysis.reading import Reading
from tierwise.execution.check import Checker
from tierwise.execution.course import Course, Courses
from tierwise.gates.evidence import FEATURES
from tierwise.gates.scorer import Answers, own_features, state_features
from tierwise.routing.artifact import Artifact, ArtifactMeta, CascadeMeta
from tierwise.routing.cascade import Cascade
from tierwise.routing.induction import states
from tierwise.routing.planner import Situations, situation
from tierwise.types import Candidate, Decision, Estimate, Plan, Profile, Task, Tier

MODELS = tuple(f"model-{number}" for number in range(5))
_DEPTH = 2
_RATE = 1.0
_ESTIMATE = Estimate(
    quality=0.7, quality_low=0.6, cost_usd=0.001, cost_p90_usd=0.002, ttft_s=0.5, latency_s=2.0
)


def course(task: Task, reading: Reading) -> Course:
    """The course of one request, at its start."""
    started = _courses().start(task, _decision(task), Checker({}), reading)
    assert started is not None  # noqa: S101 - the plan is adaptive
    return started


def tier(place: int) -> Tier:
    """The tier of one of `MODELS`."""
    return Tier(model=MODELS[place], gates=("complete",), expected=_ESTIMATE.quality)


def _decision(task: Task) -> Decision:
    return Decision(
        id="", at=0.0, requested=task.model, policy="auto", reference=MODELS[-1],
        profile=Profile(kind="chat", domain="general", difficulty=0.5),
        plan=Plan(tiers=tuple(tier(place) for place in range(len(MODELS))), adaptive=True),
        candidates=tuple(
            Candidate(model=name, role="tier", why="", estimate=_ESTIMATE) for name in MODELS
        ),
        reason="", rate=_RATE,
    )  # fmt: skip


@cache
def _courses() -> Courses:
    meta = CascadeMeta(
        models=list(MODELS), reference=MODELS[-1], features=list(FEATURES), logprobs=True, rows=0
    )
    about = ArtifactMeta(models=list(MODELS), groups=[], sources=[], rows=0)
    return Courses(Cascade(Artifact(_arrays(), about), meta, MODELS))


def _arrays() -> dict[str, NDArray[np.float32]]:
    """Weights of the shapes that training leaves: mean 0, spread 1, and hardly any weight."""
    models = len(MODELS)
    quality = np.full((1, models), _ESTIMATE.quality)
    blank = Answers(
        np.zeros((1, models, len(FEATURES)), np.float32),
        np.ones((1, models, models), np.float32),
        np.zeros((1, models), np.int8),
    )
    known = Situations(quality, np.full((1, models), _ESTIMATE.cost_usd), quality)
    later = states(models, _DEPTH - 1)
    own = own_features(blank, quality, 0).shape[1]
    heads = state_features(blank, quality, np.zeros_like(quality), [0], 0).shape[1]
    before, after = (situation(seen, known, _RATE, models - 1, 1).shape[1] for seen in ((), (0,)))
    return {
        "scorer_own": _weights(models, own),
        "scorer_heads": _weights(2, models, heads),
        "plan_prices": np.array([_RATE], np.float32),
        "plan_first": _weights(1, models, before),
        "plan_later": _weights(1, len(later), models, after),
        "plan_score": np.ones(1, np.float32),
        "plan_error": np.zeros(1, np.float32),
        "plan_cost": np.ones(1, np.float32),
    }


def _weights(*shape: int) -> NDArray[np.float32]:
    """Weights of `shape[-1]` features and a bias, see `tierwise.gates.scorer.linear`."""
    found = np.full((*shape[:-1], shape[-1] + 1, 3), 0.01, np.float32)
    found[..., 0], found[..., 1] = 0.0, 1.0
    return found
