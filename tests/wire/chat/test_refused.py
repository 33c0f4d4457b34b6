"""Parameters that a provider of the family does not take are found in bodies, and taken out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from builders import a_body
from tierwise.wire.chat.dialect import CHAT
from tierwise.wire.chat.refused import without, words_of
from tierwise.wire.features import CONTENT, FEATURES, features_of
from tierwise.wire.openai_chat import read_request

LOOK = {"type": "function", "function": {"name": "look"}}
SEE = {"type": "function", "function": {"name": "see"}}
NAMED = {"type": "function", "function": {"name": "look"}}
SEVERAL = {
    "type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [NAMED, {
        "type": "function", "function": {"name": "see"}}]},
}  # fmt: skip
SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
USING: dict[str, dict[str, Any]] = {
    "tool_choice_none": {"tools": [LOOK], "tool_choice": "none"},
    "tool_choice_required": {"tools": [LOOK], "tool_choice": "required"},
    "tool_choice_named": {"tools": [LOOK], "tool_choice": NAMED},
    "tool_choice_several": {"tools": [LOOK], "tool_choice": SEVERAL},
    "one_tool_at_a_time": {"tools": [LOOK, SEE], "parallel_tool_calls": False},
    "json_mode": {"response_format": {"type": "json_object"}},
    "json_schema": {"response_format": SCHEMA},
    "stop": {"stop": "x"},
    "max_tokens": {"max_completion_tokens": 5},
    "effort": {"reasoning_effort": "low"},
    "thinking_budget": {"reasoning": {"max_tokens": 2000}},
    "logprobs": {"logprobs": True, "top_logprobs": 2},
    "logit_bias": {"logit_bias": {"7": 1}},
    "seed": {"seed": 1},
    "choices": {"n": 2},
    "temperature": {"temperature": 0.5},
    "top_p": {"top_p": 0.5},
    "top_k": {"top_k": 5},
    "frequency_penalty": {"frequency_penalty": 0.5},
    "presence_penalty": {"presence_penalty": 0.5},
    "service_tier": {"service_tier": "flex"},
    "verbosity": {"verbosity": "low"},
}
ELSEWHERE = {"document_citations", "safety", "prefill"}
"""What Chat Completions has no word for, or no providers' business but their own."""


def a_part(feature: str) -> dict[str, Any]:
    kind, _, how = feature.partition("_")
    url = "https://example.org/a" if how == "url" else f"data:{kind}/x;base64,AAAA"
    match kind:
        case "audio":
            return {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
        case "document":
            file = {"file_id": "f"} if how == "file" else {"file_data": url}
            return {"type": "file", "file": file}
    return {"type": f"{kind}_url", f"{kind}_url": {"url": url}}


def used_by(body: bytes) -> frozenset[str]:
    return frozenset(features_of(CHAT.read_request(body)))


def test_every_parameter_that_chat_has_a_word_for_is_known_here() -> None:
    assert USING.keys() == set(FEATURES) - CONTENT - ELSEWHERE


@pytest.mark.parametrize("feature", USING)
def test_a_parameter_that_is_not_taken_is_found_and_left_out_and_nothing_else(feature: str) -> None:
    body = a_body(user="u", **USING[feature])
    assert feature in used_by(body)
    assert words_of([feature]).may_be_in(read_request(body))
    left = without(body, [feature])
    assert used_by(left) == used_by(body) - {feature}
    assert json.loads(left)["messages"] == json.loads(body)["messages"]
    assert json.loads(left)["user"] == "u"


@pytest.mark.parametrize(
    "feature", ["image_data", "image_url", "audio_data", "video_data", "video_url",
                "document_data", "document_url", "document_file"]
)  # fmt: skip
def test_what_the_question_consists_of_is_found_and_stays(feature: str) -> None:
    body = a_body([a_part(feature)])  # type: ignore[arg-type]
    assert used_by(body) == {feature}
    assert words_of([feature]).may_be_in(read_request(body))
    assert without(body, [feature]) is body


@pytest.mark.parametrize("feature", ["tool_choice_none", "tool_choice_required", "json_schema"])
def test_of_choices_and_forms_only_the_one_that_is_not_taken_is_left_out(feature: str) -> None:
    others = {"tool_choice_none", "tool_choice_required", "tool_choice_named",
              "tool_choice_several", "json_mode", "json_schema"} - {feature}  # fmt: skip
    body = a_body(**USING[feature])
    assert without(body, others) is body


def test_a_body_without_any_keeps_its_bytes() -> None:
    body = a_body(user="u")
    assert without(body, FEATURES) is body
    assert not words_of(FEATURES).may_be_in(read_request(body))
