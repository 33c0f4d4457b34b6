"""What a body of Chat Completions says of features that not everybody of the family takes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from tierwise.types import Task
from tierwise.wire import openai_chat

_FIELDS: Mapping[str, tuple[str, ...]] = {
    "one_tool_at_a_time": ("parallel_tool_calls",),
    "stop": ("stop",),
    "max_tokens": ("max_tokens", "max_completion_tokens"),
    "effort": ("reasoning_effort", "reasoning"),
    "thinking_budget": ("reasoning",),
    "logprobs": ("logprobs", "top_logprobs"),
    "logit_bias": ("logit_bias",),
    "seed": ("seed",),
    "choices": ("n",),
    "temperature": ("temperature",),
    "top_p": ("top_p",),
    "top_k": ("top_k",),
    "frequency_penalty": ("frequency_penalty",),
    "presence_penalty": ("presence_penalty",),
    "service_tier": ("service_tier",),
    "verbosity": ("verbosity",),
}
"""The fields of a body that ask for a parameter and for nothing else."""
_KINDS: Mapping[str, str] = {
    "image_data": "image_url",
    "image_url": "image_url",
    "audio_data": "input_audio",
    "video_data": "video_url",
    "video_url": "video_url",
    "document_data": "file",
    "document_url": "file",
    "document_file": "file",
}
"""The types of parts of messages that are these."""
_FORMS: Mapping[str, tuple[str, bytes]] = {
    "json_mode": ("response_format", b"json_object"),
    "json_schema": ("response_format", b"json_schema"),
    "tool_choice_none": ("tool_choice", b'"none"'),
    "tool_choice_required": ("tool_choice", b'"required"'),
    "tool_choice_named": ("tool_choice", b'"name"'),
    "tool_choice_several": ("tool_choice", b'"allowed_tools"'),
}
"""Fields that ask for one thing or another, and what of their JSON says that it is this one."""


class Words(NamedTuple):
    """The fields of a body, and the types of parts of its messages, that may ask for features."""

    fields: frozenset[str]
    kinds: frozenset[str]

    def may_be_in(self, task: Task) -> bool:
        """Whether a task of Chat Completions has any of them; its body is not read for that."""
        if not self.fields.isdisjoint(openai_chat.field_names(task.body)):
            return True
        return bool(self.kinds) and any(
            part.type in self.kinds
            for message in task.messages
            if isinstance(message.content, list)
            for part in message.content
        )


def words_of(features: Collection[str]) -> Words:
    """What asks for features, as far as Chat Completions has words for them."""
    fields = {name for feature in features for name in _FIELDS.get(feature, ())}
    fields |= {_FORMS[feature][0] for feature in features if feature in _FORMS}
    if not {"tools", "custom_tools"}.isdisjoint(features):
        fields |= {"tools", "functions"}
    kinds = {_KINDS[feature] for feature in features if feature in _KINDS}
    return Words(frozenset(fields), frozenset(kinds))


def without(body: bytes, features: Collection[str]) -> bytes:
    """The body without the parameters among these features; whatever else it says stays."""
    given = openai_chat.field_names(body)
    gone = {name for feature in features for name in _FIELDS.get(feature, ())}
    for feature in features:
        name, word = _FORMS.get(feature, ("", b""))
        if name in given and word in (openai_chat.field_of(body, name) or b""):
            gone.add(name)
    changes: dict[str, bytes | None] = {name: None for name in gone if name in given}
    return openai_chat.with_fields(body, changes) if changes else body
