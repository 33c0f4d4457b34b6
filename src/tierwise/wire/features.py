"""What a request uses that not every dialect can express, and which of them can.

Each dialect says in its `words` what it has words for, and which; a provider that cannot take a
feature is never asked for it. What only helps a provider to answer sooner or cheaper, and what only
labels a request, is no feature: it is left out where there is no word for it, and the answer is the
same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from tierwise.wire.conversation import (
    Audio,
    Conversation,
    Document,
    Foreign,
    Image,
    Part,
    Source,
    ToolCall,
    ToolResult,
    Video,
)
from tierwise.wire.openai_chat import given

Feature = Literal[
    "image_data",
    "image_url",
    "image_file",
    "audio_data",
    "audio_url",
    "audio_file",
    "video_data",
    "video_url",
    "video_file",
    "document_data",
    "document_url",
    "document_text",
    "document_file",
    "document_citations",
    "tools",
    "custom_tools",
    "tool_results_with_media",
    "tool_choice_none",
    "tool_choice_required",
    "tool_choice_named",
    "tool_choice_several",
    "one_tool_at_a_time",
    "json_mode",
    "json_schema",
    "stop",
    "max_tokens",
    "effort",
    "thinking_budget",
    "logprobs",
    "logit_bias",
    "seed",
    "choices",
    "temperature",
    "top_p",
    "top_k",
    "frequency_penalty",
    "presence_penalty",
    "safety",
    "service_tier",
    "verbosity",
    "prefill",
]
"""One thing that a request can ask for, and that is refused where there are no words for it."""

FEATURES: tuple[Feature, ...] = Feature.__args__  # type: ignore[attr-defined]
"""All of them, in the order of the table."""


def features_of(asked: Conversation) -> frozenset[Feature]:
    """What a request uses of the list."""
    found: set[Feature] = set(_of_parameters(asked))
    for turn in asked.turns:
        for part in turn.parts:
            found.update(_of_part(part))
    if asked.turns and asked.turns[-1].role == "assistant":
        found.add("prefill")
    return frozenset(found)


def foreign_to(asked: Conversation, dialect: str) -> list[str]:
    """What a request uses that only another dialect knows, by its names there."""
    if asked.dialect == dialect:
        return []
    pieces = (part for turn in asked.turns for part in turn.parts if isinstance(part, Foreign))
    bound = [one for one in (*asked.foreign_tools, *pieces) if one.binding]
    return [*asked.own, *dict.fromkeys(one.what for one in bound if one.origin != dialect)]


def _of_parameters(asked: Conversation) -> Iterator[Feature]:
    sampling, thinking = asked.sampling, asked.thinking
    for name in ("temperature", "top_p", "top_k", "seed", "frequency_penalty", "presence_penalty"):
        if getattr(sampling, name) is not None:
            yield name
    if given(sampling.logit_bias):
        yield "logit_bias"
    if asked.format is not None:
        yield "json_mode" if asked.format.kind == "json" else "json_schema"
    if thinking is not None and thinking.effort is not None:
        yield "effort"
    if thinking is not None and thinking.budget is not None:
        yield "thinking_budget"
    if asked.stop:
        yield "stop"
    if asked.max_tokens is not None:
        yield "max_tokens"
    if asked.choices > 1:
        yield "choices"
    if asked.logprobs:
        yield "logprobs"
    if given(asked.safety):
        yield "safety"
    if asked.service_tier not in (None, "auto", "default"):
        yield "service_tier"
    if asked.verbosity is not None:
        yield "verbosity"
    yield from _of_tools(asked)


def _of_tools(asked: Conversation) -> Iterator[Feature]:
    if any(not tool.custom for tool in asked.tools):
        yield "tools"
    if any(tool.custom for tool in asked.tools):
        yield "custom_tools"
    if asked.parallel_tools is False:
        yield "one_tool_at_a_time"
    choice = asked.tool_choice
    if choice is None:
        return
    if len(choice.names) > 1:
        yield "tool_choice_several"
    elif choice.names:
        yield "tool_choice_named"
    elif choice.mode == "none":
        yield "tool_choice_none"
    elif choice.mode == "required":
        yield "tool_choice_required"


def _of_part(part: Part) -> Iterator[Feature]:
    match part:
        case Image():
            yield _by_source("image", part.source)
        case Audio():
            yield _by_source("audio", part.source)
        case Video():
            yield _by_source("video", part.source)
        case Document():
            yield "document_text" if part.text is not None else _by_source("document", part.source)
            if part.cited:
                yield "document_citations"
        case ToolCall():
            yield "custom_tools" if part.custom else "tools"
        case ToolResult():
            if any(isinstance(piece, Image | Audio | Video | Document) for piece in part.parts):
                yield "tool_results_with_media"
            for piece in part.parts:
                yield from _of_part(piece)


def _by_source(kind: Literal["image", "audio", "video", "document"], source: Source) -> Feature:
    how = "url" if source.url is not None else "file"
    if source.data is not None:
        how = "data"
    found: Feature = f"{kind}_{how}"  # type: ignore[assignment]
    return found
