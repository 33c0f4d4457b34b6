"""What a body of Chat Completions says of features that not everybody of the family takes.

The body of a request that uses none of them is searched, and not read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

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
_WORDS: Mapping[str, str] = {
    "json_mode": "response_format",
    "json_schema": "json_schema",
    "tool_choice_none": "tool_choice",
    "tool_choice_required": "tool_choice",
    "tool_choice_named": "tool_choice",
    "tool_choice_several": "allowed_tools",
    "custom_tools": "custom",
    "image_data": "image_url",
    "image_url": "image_url",
    "audio_data": "input_audio",
    "video_data": "video_url",
    "video_url": "video_url",
    "document_data": "file_data",
    "document_url": "file_data",
    "document_file": "file_id",
    "tools": "tools",
}
"""What is found in a body that uses these, if nowhere in particular."""
_FORMS: Mapping[str, tuple[str, bytes]] = {
    "json_mode": ("response_format", b"json_object"),
    "json_schema": ("response_format", b"json_schema"),
    "tool_choice_none": ("tool_choice", b'"none"'),
    "tool_choice_required": ("tool_choice", b'"required"'),
    "tool_choice_named": ("tool_choice", b'"name"'),
    "tool_choice_several": ("tool_choice", b'"allowed_tools"'),
}
"""Fields that ask for one thing or another, and what of their JSON says that it is this one."""


_KNOWN = _FIELDS.keys() | _WORDS.keys()


def marks_of(features: Iterable[str]) -> tuple[bytes, ...]:
    """Bytes of which a body that uses one of these features has at least one.

    JSON can be written so that it has none (`"\\u006e"` is `"n"`); such a request gets its answer
    from the provider.
    """
    found: dict[bytes, None] = {}
    for feature in features:
        words = _FIELDS.get(feature) or (_WORDS[feature],) if feature in _KNOWN else ()
        found.update((f'"{word}"'.encode(), None) for word in words)
    return tuple(found)


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
