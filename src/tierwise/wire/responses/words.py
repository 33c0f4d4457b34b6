"""What Responses calls the features that it has words for, and the pieces that only it knows."""

from __future__ import annotations

from collections.abc import Mapping

from tierwise.wire.features import Feature

OURS = "openai-responses"
"""The dialect's name."""

INSTRUCTIONS = "instructions"
"""The id of the turn that stands in the field of that name."""

WORDS: Mapping[Feature, str] = {
    "image_data": "input_image.image_url",
    "image_url": "input_image.image_url",
    "image_file": "input_image.file_id",
    "audio_data": "input_audio",
    "document_data": "input_file.file_data",
    "document_url": "input_file.file_url",
    "document_text": "input_file.file_data",
    "document_file": "input_file.file_id",
    "tools": "tools",
    "custom_tools": "tools",
    "tool_results_with_media": "function_call_output.output",
    "tool_choice_none": "tool_choice",
    "tool_choice_required": "tool_choice",
    "tool_choice_named": "tool_choice",
    "tool_choice_several": "tool_choice",
    "one_tool_at_a_time": "parallel_tool_calls",
    "json_mode": "text.format",
    "json_schema": "text.format",
    "max_tokens": "max_output_tokens",
    "effort": "reasoning.effort",
    # The word that is nearest to the count.
    "thinking_budget": "reasoning.effort",
    "logprobs": "top_logprobs",
    "temperature": "temperature",
    "top_p": "top_p",
    "service_tier": "service_tier",
    "verbosity": "text.verbosity",
}

REPLACEABLE = frozenset(
    {"web_search_call", "file_search_call", "code_interpreter_call", "mcp_list_tools", "mcp_call"}
)
"""Items whose outcome stands in the message behind them, so that a conversation makes sense without
them."""


def is_content(what: str) -> bool:
    """Whether something of that type stands in a message, not beside it."""
    return what.startswith(("input_", "output_"))
