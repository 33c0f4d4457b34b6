"""Tierwise: every request to the smallest model that does it well.

    from tierwise import Orchestrator

    async with Orchestrator.from_config("tierwise.yaml") as o:
        answer = await o.chat("What is the capital of France?", policy="auto")
        print(answer.text, answer.model, answer.cost_usd)

What is exported here is the public interface; everything else may change.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tierwise.answer import Answer, AnswerStream
    from tierwise.errors import TierwiseError
    from tierwise.orchestrator import Orchestrator
    from tierwise.sync import SyncOrchestrator
    from tierwise.through import PassedStream, PassedThrough
    from tierwise.types import Decision, Policy, Record, Task, Usage
    from tierwise.vectors import Vectors

__version__ = "0.1.0"

_EXPORTS = {
    "Answer": "tierwise.answer",
    "AnswerStream": "tierwise.answer",
    "Decision": "tierwise.types",
    "Orchestrator": "tierwise.orchestrator",
    "PassedStream": "tierwise.through",
    "PassedThrough": "tierwise.through",
    "Policy": "tierwise.types",
    "Record": "tierwise.types",
    "SyncOrchestrator": "tierwise.sync",
    "Task": "tierwise.types",
    "TierwiseError": "tierwise.errors",
    "Usage": "tierwise.types",
    "Vectors": "tierwise.vectors",
}

__all__ = [
    "Answer",
    "AnswerStream",
    "Decision",
    "Orchestrator",
    "PassedStream",
    "PassedThrough",
    "Policy",
    "Record",
    "SyncOrchestrator",
    "Task",
    "TierwiseError",
    "Usage",
    "Vectors",
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Imports what is asked for only then, so that the command line starts quickly."""
    if name in _EXPORTS:
        return getattr(import_module(_EXPORTS[name]), name)
    raise AttributeError(f"module 'tierwise' has no attribute {name!r}")
