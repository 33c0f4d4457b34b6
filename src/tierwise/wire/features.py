"""What a request uses that not every dialect can express, and which of them can.

Each dialect says in its `words` what it has words for, and which; a provider that cannot take a
feature is never asked for it. What only helps a provider to answer sooner or cheaper, and what only
labels a request, is no feature: it is left out where there is no word for it, and the answer is the
same. docs/dialects.md has the table.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Literal, NamedTuple

import msgspec
from msgspec import Raw

from tierwise.wire.conversation import (
    Audio,
    Conversation,
    Document,
    Foreign,
    Image,
    Part,
    Source,
    Text,
    ToolCall,
    ToolResult,
    Video,
)
from tierwise.wire.dialect import dialect_named
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


CONTENT: frozenset[str] = frozenset(
    name
    for name in FEATURES
    if name.startswith(("image_", "audio_", "video_", "document_", "tool_results"))
    and name != "document_citations"
) | {"tools", "custom_tools", "prefill"}
"""What the question itself consists of. It is never left out: the answer would be to another."""

NAMED = frozenset({"cachedContent", "container", "conversation", "prompt"})
"""Fields that name a part of the question which lies with one provider: what was said before it, a
prompt, files. It is as little left out as what stands in the request itself."""

LABELS: dict[str, frozenset[str]] = {
    "openai-chat": frozenset(
        {
            *("metadata", "prediction", "prompt_cache_key", "prompt_cache_options"),
            *("prompt_cache_retention", "safety_identifier", "store", "stream_options", "usage"),
            "user",
        }
    ),
    "openai-responses": frozenset(
        {
            *("client_metadata", "context_management", "include", "max_tool_calls", "metadata"),
            *("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"),
            *("safety_identifier", "store", "stream_options", "truncation", "user"),
        }
    ),
    "anthropic": frozenset({"betas", "cache_control", "context_management", "metadata"}),
    "gemini": frozenset({"labels", "store"}),
}
"""Fields of one dialect that are left out for another without a word: they say who asks and what
for, or help the provider to answer sooner or cheaper, or say what is to be sent beside the answer,
or how a conversation is made to fit that is too long. The answer is the same without them."""

TWO_DRAWS: Literal["top_p_beside_temperature"] = "top_p_beside_temperature"
"""Among what is refused: a `top_p` where a `temperature` is given as well. Each alone is taken."""
NOTHING_REFUSED: frozenset[str] = frozenset()
_ASKED_BY: dict[str, dict[str, str]] = {
    "openai-chat": {"prefill": "messages", "thinking_budget": "reasoning"},
    "openai-responses": {"prefill": "input"},
    "gemini": {"prefill": "contents"},
}
"""What clients ask by another name than their dialect's providers are asked by, or by one where the
dialect says nothing of it to its providers."""
_HOUSE = {"openai-chat": "openai", "openai-responses": "openai"}
"""Dialects of the same provider, which knows a file by the same id in each."""
_NOTHING = frozenset({b"", b"null", b"false", b"[]", b"{}", b'""'})
_ASKS_BY_BEING_THERE = frozenset({"web_search_options"})
"""Fields that ask for something with an empty object, too."""
_USUAL = {"modalities": b'["text"]', "responseModalities": b'["TEXT"]'}
"""What fields say that ask for what is given anyway."""


class Lack(NamedTuple):
    """One thing that a request uses and a dialect has no words for.

    `feature` is of the list, or says that it is a field, a tool or a piece that one dialect alone
    knows. `word` is the client's own name of it. `refused` says that the dialect has a word for it,
    and that whoever serves the model there does not take it.
    """

    feature: Feature | Literal["field", "tool", "piece", "top_p_beside_temperature"]
    word: str
    refused: bool = False

    @property
    def is_content(self) -> bool:
        """Whether it is a part of the question, which nobody may leave out."""
        return self.feature in CONTENT or (self.feature == "field" and self.word in NAMED)

    def __str__(self) -> str:
        if self.feature == "tool":
            return f"the tool `{self.word}`"
        if self.feature == TWO_DRAWS:
            return f"`{self.word}` beside a temperature"
        if self.feature in CONTENT:
            what = "an answer that is begun" if self.feature == "prefill" else self.feature
            return f"{what.replace('_', ' ')} (`{self.word}`)"
        return f"`{self.word}`"


def features_of(asked: Conversation) -> frozenset[Feature]:
    """What a request uses of the list."""
    found: set[Feature] = set(_of_parameters(asked))
    for turn in asked.turns:
        for part in turn.parts:
            if not isinstance(part, Text):
                found.update(_of_part(part))
    if asked.turns and asked.turns[-1].role == "assistant":
        found.add("prefill")
    return frozenset(found)


def word_of(feature: Feature, asked: Conversation) -> str:
    """What the client of a request calls a feature."""
    if feature == "effort" and asked.thinking is not None and asked.thinking.named is not None:
        return asked.thinking.named
    theirs = _ASKED_BY.get(asked.dialect, {}).get(feature)
    return theirs or dialect_named(asked.dialect).words.get(feature, feature)


def unsupported(
    asked: Conversation, dialect: str, refused: Collection[str] = NOTHING_REFUSED
) -> list[Lack]:
    """What a request uses that a dialect has no words for; in the order of the table.

    Args:
        refused: features that a provider of that dialect does not take, words or not.
    """
    ours = asked.dialect == dialect
    if ours and not refused:
        return []
    words = dialect_named(dialect).words
    used = features_of(asked)
    lacks: list[Lack] = []
    for feature in FEATURES:
        if feature not in used:
            continue
        word = word_of(feature, asked)
        if not ours and (feature not in words or _is_elsewhere(feature, asked.dialect, dialect)):
            lacks.append(Lack(feature, word))
        elif feature in refused:
            lacks.append(Lack(feature, word, refused=True))
        elif feature == "top_p" and TWO_DRAWS in refused and "temperature" in used:
            lacks.append(Lack(TWO_DRAWS, word, refused=True))
    return lacks if ours else [*lacks, *_foreign(asked, dialect)]


def _is_elsewhere(feature: Feature, ours: str, theirs: str) -> bool:
    """Whether something lies with one provider, where no other can look for it."""
    return feature.endswith("_file") and _HOUSE.get(ours, ours) != _HOUSE.get(theirs, theirs)


def _foreign(asked: Conversation, dialect: str) -> Iterator[Lack]:
    """The fields, tools and pieces that only another dialect knows, each once."""
    labels = LABELS.get(asked.dialect, frozenset())
    for name, value in asked.own.items():
        if name not in labels and asks_something(name, value):
            yield Lack("field", name)
    pieces = (
        piece
        for turn in asked.turns
        for part in turn.parts
        for piece in (part.parts if isinstance(part, ToolResult) else (part,))
        if isinstance(piece, Foreign)
    )
    kinds: list[tuple[Literal["tool", "piece"], Iterable[Foreign]]]
    kinds = [("tool", asked.foreign_tools), ("piece", pieces)]
    for kind, found in kinds:
        bound = [one.what for one in found if one.binding and one.origin != dialect]
        for what in dict.fromkeys(bound):
            yield Lack(kind, what)


def asks_something(name: str, value: Raw) -> bool:
    """Whether a field asks for anything, as null, false and what is empty do not."""
    said = bytes(value)
    if said == b"{}" and name in _ASKS_BY_BEING_THERE:
        return True
    return said not in _NOTHING and said != _USUAL.get(name)


def _of_parameters(asked: Conversation) -> Iterator[Feature]:
    sampling, thinking = asked.sampling, asked.thinking
    # 1 is to draw by the probabilities as they are: those who take nothing else take this.
    if sampling.temperature not in (None, 1):
        yield "temperature"
    if sampling.top_p not in (None, 1):
        yield "top_p"
    if sampling.top_k is not None:
        yield "top_k"
    if sampling.seed is not None:
        yield "seed"
    if sampling.frequency_penalty:
        yield "frequency_penalty"
    if sampling.presence_penalty:
        yield "presence_penalty"
    if asks_something("logit_bias", sampling.logit_bias):
        yield "logit_bias"
    if asked.format is not None:
        yield "json_mode" if asked.format.kind == "json" else "json_schema"
    if thinking is not None and thinking.effort is not None:
        yield "effort"
    if thinking is not None and thinking.budget is not None and thinking.budget > 0:
        # To think not at all, or as the model likes, costs less or more; it asks for no other
        # answer.
        yield "thinking_budget"
    if asked.stop:
        yield "stop"
    if asked.max_tokens is not None:
        yield "max_tokens"
    if asked.choices > 1:
        yield "choices"
    if asked.logprobs:
        yield "logprobs"
    if _filters(asked.safety):
        yield "safety"
    if asked.service_tier not in (None, "auto", "default"):
        yield "service_tier"
    if asked.verbosity not in (None, "medium"):
        yield "verbosity"
    yield from _of_tools(asked)


def _filters(safety: Raw) -> bool:
    """Whether any of Google's filters is wanted. That none is, is so where there are none."""
    if not given(safety):
        return False
    settings = msgspec.json.decode(safety)
    return any(
        not isinstance(one, dict) or one.get("threshold") not in ("OFF", "BLOCK_NONE")
        for one in (settings if isinstance(settings, list) else [settings])
    )


def _of_tools(asked: Conversation) -> Iterator[Feature]:
    if not (asked.tools or asked.foreign_tools):
        return
    if any(not tool.custom for tool in asked.tools):
        yield "tools"
    if any(tool.custom for tool in asked.tools):
        yield "custom_tools"
    choice = asked.tool_choice
    if asked.parallel_tools is False and not has_one_to_call(asked):
        yield "one_tool_at_a_time"
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


def has_one_to_call(asked: Conversation) -> bool:
    """Whether one tool alone can be called: there is no other, or the request names it.

    Clients for structured output forbid calls beside the one that they force. Where there is no
    word for that, a second call of the same tool is taken off the answer (`wire.one_call`), and
    nothing that was asked for is lost.
    """
    choice = asked.tool_choice
    if choice is not None and (choice.mode == "none" or len(choice.names) == 1):
        return True
    return len(asked.tools) + len(asked.foreign_tools) == 1


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
