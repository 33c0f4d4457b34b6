"""A request without what whoever is asked does not take, where the caller lets that be left out."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from msgspec import Raw
from msgspec.structs import replace

from tierwise.wire.conversation import Conversation, Document, Part, ToolResult, Turn
from tierwise.wire.features import TWO_DRAWS

_NOTHING = Raw(b"")
_OF_SAMPLING: dict[str, Any] = {
    **dict.fromkeys(("temperature", "top_p", "top_k", "seed")),
    **dict.fromkeys(("frequency_penalty", "presence_penalty")),
    "logit_bias": _NOTHING,
}
_OF_REQUEST: dict[str, dict[str, Any]] = {
    "stop": {"stop": ()},
    "max_tokens": {"max_tokens": None},
    "logprobs": {"logprobs": False, "top_logprobs": None},
    "choices": {"choices": 1},
    "safety": {"safety": _NOTHING},
    "service_tier": {"service_tier": None},
    "verbosity": {"verbosity": None},
    "one_tool_at_a_time": {"parallel_tools": None},
}


def without(asked: Conversation, features: Collection[str]) -> Conversation:
    """The request without these parameters; what the question consists of stays in any case."""
    if not features:
        return asked
    changes: dict[str, Any] = {}
    for feature in features:
        changes.update(_OF_REQUEST.get(feature, {}))
    sampling = {name: none for name, none in _OF_SAMPLING.items() if name in features}
    if TWO_DRAWS in features and {asked.sampling.temperature, asked.sampling.top_p}.isdisjoint(
        (None, 1)
    ):
        sampling["top_p"] = None
    if sampling:
        changes["sampling"] = replace(asked.sampling, **sampling)
    if asked.format is not None and f"json_{_form(asked)}" in features:
        changes["format"] = None
    if asked.tool_choice is not None and f"tool_choice_{_choice(asked)}" in features:
        changes["tool_choice"] = None
    if asked.thinking is not None:
        forgone = {"effort": "effort", "thinking_budget": "budget"}
        thinking = {field: None for name, field in forgone.items() if name in features}
        changes["thinking"] = replace(asked.thinking, **thinking)
    if "document_citations" in features:
        changes["turns"] = tuple(_uncited(turn) for turn in asked.turns)
    return replace(asked, **changes) if changes else asked


def _form(asked: Conversation) -> str:
    return "mode" if asked.format is not None and asked.format.kind == "json" else "schema"


def _choice(asked: Conversation) -> str:
    choice = asked.tool_choice
    if choice is None:
        return ""
    if choice.names:
        return "several" if len(choice.names) > 1 else "named"
    return choice.mode


def _uncited(turn: Turn) -> Turn:
    return replace(turn, parts=tuple(_parts(turn.parts)))


def _parts(parts: tuple[Part, ...]) -> Iterator[Part]:
    for part in parts:
        match part:
            case Document():
                yield replace(part, cited=False)
            case ToolResult():
                yield replace(part, parts=tuple(_parts(part.parts)))
            case _:
                yield part
