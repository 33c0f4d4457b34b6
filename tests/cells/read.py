"""What each client is to read of an answer, as data: where in its bytes what stands.

As in `asked`; in streams, `*` leads to any of the events. What a client's dialect has no place for
is not told it, and the rest is. These are the words of the dialects' own references.
"""

from __future__ import annotations

from cells.answered import AT, LINK, NO, TEXT, THOUGHT, TITLE
from cells.asked import Json, Places

CITATION = {"url": LINK, "title": TITLE, "start_index": 0, "end_index": 6}
_MESSAGE = "choices.0.message"
# https://platform.openai.com/docs/api-reference/chat/object
CHAT: dict[str, Places] = {
    "text": {f"{_MESSAGE}.content": TEXT, "choices.0.finish_reason": "stop",
             "usage.prompt_tokens": 20, "usage.completion_tokens": 7, "usage.total_tokens": 27},
    # Where DeepSeek has it, which most clients know.
    "thought": {f"{_MESSAGE}.content": TEXT, f"{_MESSAGE}.reasoning_content": THOUGHT},
    "calls": {
        f"{_MESSAGE}.tool_calls.0.id": "call_look",
        f"{_MESSAGE}.tool_calls.0.function.name": "look",
        f"{_MESSAGE}.tool_calls.1.function.arguments": Json({"at": "x"}),
        "choices.0.finish_reason": "tool_calls",
    },
    "cited": {f"{_MESSAGE}.annotations.0.type": "url_citation",
              f"{_MESSAGE}.annotations.0.url_citation.url": LINK,
              f"{_MESSAGE}.annotations.0.url_citation.end_index": 6},
    "refused": {f"{_MESSAGE}.refusal": NO, f"{_MESSAGE}.content": None,
                "choices.0.finish_reason": "stop"},
    "logprobs": {"choices.0.logprobs.content.0.token": TEXT,
                 "choices.0.logprobs.content.0.logprob": -0.25},
    "length": {f"{_MESSAGE}.content": TEXT, "choices.0.finish_reason": "length"},
    "stopped": {f"{_MESSAGE}.content": TEXT, "choices.0.finish_reason": "stop"},
    "filtered": {"choices.0.finish_reason": "content_filter"},
    "cached": {"usage.prompt_tokens": 20, "usage.prompt_tokens_details.cached_tokens": 15,
               "usage.completion_tokens": 7},
}  # fmt: skip

# https://platform.openai.com/docs/api-reference/responses/object
RESPONSES: dict[str, Places] = {
    "text": {"status": "completed", "output.0.type": "message",
             "output.0.content.0.type": "output_text", "output.0.content.0.text": TEXT,
             "usage.input_tokens": 20, "usage.output_tokens": 7, "usage.total_tokens": 27},
    "thought": {"output.0.type": "reasoning", "output.1.content.0.text": TEXT},
    "calls": {
        "output.0.type": "function_call", "output.0.call_id": "call_look", "output.0.name": "look",
        "output.1.name": "see", "output.1.arguments": Json({"at": "x"}), "status": "completed",
    },
    "cited": {"output.0.content.0.annotations.0": {"type": "url_citation", **CITATION}},
    "refused": {"output.0.content.0": {"type": "refusal", "refusal": NO}, "status": "completed"},
    "logprobs": {"output.0.content.0.logprobs.0.token": TEXT,
                 "output.0.content.0.logprobs.0.logprob": -0.25},
    "length": {"status": "incomplete", "incomplete_details.reason": "max_output_tokens",
               "output.0.content.0.text": TEXT},
    "stopped": {"status": "completed", "output.0.content.0.text": TEXT},
    "filtered": {"status": "incomplete", "incomplete_details.reason": "content_filter"},
    "cached": {"usage.input_tokens": 20, "usage.input_tokens_details.cached_tokens": 15},
}  # fmt: skip

# https://platform.claude.com/docs/en/api/messages
ANTHROPIC: dict[str, Places] = {
    "text": {"content": [{"type": "text", "text": TEXT}], "stop_reason": "end_turn",
             "usage.input_tokens": 20, "usage.output_tokens": 7},
    # What another signed, or nobody, has a signature that nobody takes for Anthropic's.
    "thought": {"content.0": {"type": "thinking", "thinking": THOUGHT, "signature": ""},
                "content.1.text": TEXT},
    "calls": {
        "content.0": {"type": "tool_use", "id": "call_look", "name": "look", "input": {"at": "x"}},
        "content.1.name": "see", "stop_reason": "tool_use",
    },
    "cited": {"content.0.text": TEXT, "content.0.citations.0.type": "web_search_result_location",
              "content.0.citations.0.url": LINK, "content.0.citations.0.title": TITLE},
    "refused": {"content.0": {"type": "text", "text": NO}, "stop_reason": "refusal"},
    "logprobs": {"content.0": {"type": "text", "text": TEXT}},
    "length": {"content.0.text": TEXT, "stop_reason": "max_tokens"},
    "stopped": {"content.0.text": TEXT, "stop_reason": "stop_sequence"},
    "filtered": {"stop_reason": "refusal"},
    # Of Anthropic's three counts of what was read the first is what no cache had to do with.
    "cached": {"usage.input_tokens": 5, "usage.cache_read_input_tokens": 15},
}  # fmt: skip

_CANDIDATE = "candidates.0"
_PARTS = f"{_CANDIDATE}.content.parts"
# https://ai.google.dev/api/generate-content
GEMINI: dict[str, Places] = {
    "text": {_PARTS: [{"text": TEXT}], f"{_CANDIDATE}.finishReason": "STOP",
             "usageMetadata.promptTokenCount": 20, "usageMetadata.candidatesTokenCount": 7,
             "usageMetadata.totalTokenCount": 27},
    "thought": {f"{_PARTS}.0": {"text": THOUGHT, "thought": True}, f"{_PARTS}.1.text": TEXT},
    "calls": {
        f"{_PARTS}.0.functionCall": {"id": "call_look", "name": "look", "args": {"at": "x"}},
        f"{_PARTS}.1.functionCall.name": "see", f"{_CANDIDATE}.finishReason": "STOP",
    },
    "cited": {
        f"{_CANDIDATE}.groundingMetadata.groundingChunks.0.web": {"uri": LINK, "title": TITLE},
        f"{_CANDIDATE}.groundingMetadata.groundingSupports.0.segment.endIndex": 6,
    },
    "refused": {f"{_PARTS}.0.text": NO, f"{_CANDIDATE}.finishReason": "SAFETY"},
    "logprobs": {f"{_CANDIDATE}.logprobsResult.chosenCandidates.0.logProbability": -0.25},
    "length": {f"{_PARTS}.0.text": TEXT, f"{_CANDIDATE}.finishReason": "MAX_TOKENS"},
    "stopped": {f"{_PARTS}.0.text": TEXT, f"{_CANDIDATE}.finishReason": "STOP"},
    "filtered": {f"{_CANDIDATE}.finishReason": "SAFETY"},
    "cached": {"usageMetadata.promptTokenCount": 20, "usageMetadata.cachedContentTokenCount": 15},
}  # fmt: skip

WHOLE: dict[str, dict[str, Places]] = {
    "openai-chat": CHAT,
    "openai-responses": RESPONSES,
    "anthropic": ANTHROPIC,
    "gemini": GEMINI,
}
_SIGNED = {"type": "reasoning.text", "text": THOUGHT, "signature": "signed",
           "format": "anthropic-claude-v1", "index": 0}  # fmt: skip
OF_PROVIDER: dict[tuple[str, str, str], Places] = {
    # Signatures are handed out and come back where they are of use.
    ("openai-chat", "thought", "anthropic"): {f"{_MESSAGE}.reasoning_details": [_SIGNED]},
    ("openai-chat", "thought", "bedrock"): {f"{_MESSAGE}.reasoning_details": [_SIGNED]},
    ("openai-chat", "thought", "openai_responses"): {
        f"{_MESSAGE}.reasoning_content": THOUGHT,
        f"{_MESSAGE}.reasoning_details.1.data": "secret",
    },
    ("openai-responses", "thought", "anthropic"): {
        "output.0.content.0.text": THOUGHT,
        "output.0.encrypted_content": "tierwise:anthropic:s:signed",
    },
    ("openai-responses", "thought", "bedrock"): {
        "output.0.content.0.text": THOUGHT,
        "output.0.encrypted_content": "tierwise:anthropic:s:signed",
    },
    ("anthropic", "thought", "bedrock"): {
        "content.0": {"type": "thinking", "thinking": THOUGHT, "signature": "signed"}},
    # Anthropic says that its model declined, not in which words: those are a text like any other.
    ("openai-chat", "refused", "anthropic"): {
        f"{_MESSAGE}.content": NO, "choices.0.finish_reason": "content_filter"},
    ("openai-responses", "refused", "anthropic"): {
        "output.0.content.0.text": NO, "status": "incomplete",
        "incomplete_details.reason": "content_filter"},
}  # fmt: skip
"""Where it depends on who answers: by client's dialect, what is held, and adapter."""

STREAMED: dict[str, dict[str, Places]] = {
    "openai-chat": {
        "text": {"*.choices.0.delta.role": "assistant", "*.choices.0.delta.content": TEXT,
                 "*.choices.0.finish_reason": "stop", "*.usage.prompt_tokens": 20,
                 "*.usage.completion_tokens": 7},
        "thought": {"*.choices.0.delta.reasoning_content": THOUGHT,
                    "*.choices.0.delta.content": TEXT},
        "calls": {"*.choices.0.delta.tool_calls.0.id": "call_look",
                  "*.choices.0.delta.tool_calls.0.function.name": "see",
                  "*.choices.0.delta.tool_calls.0.index": 1,
                  "*.choices.0.finish_reason": "tool_calls"},
        "cited": {"*.choices.0.delta.annotations.0.url_citation.url": LINK},
        "refused": {"*.choices.0.delta.refusal": NO, "*.choices.0.finish_reason": "stop"},
        "logprobs": {"*.choices.0.logprobs.content.0.logprob": -0.25},
        "length": {"*.choices.0.finish_reason": "length"},
        "stopped": {"*.choices.0.finish_reason": "stop"},
        "filtered": {"*.choices.0.finish_reason": "content_filter"},
        "cached": {"*.usage.prompt_tokens": 20, "*.usage.prompt_tokens_details.cached_tokens": 15},
    },
    "openai-responses": {
        "text": {"0.type": "response.created", "*.delta": TEXT,
                 "*.type": "response.completed", "*.response.usage.input_tokens": 20,
                 "*.response.usage.output_tokens": 7},
        "thought": {"*.delta": THOUGHT, "*.item.type": "reasoning"},
        "calls": {"*.item.call_id": "call_look", "*.item.name": "see",
                  "*.type": "response.function_call_arguments.done", "*.arguments": AT,
                  "*.response.output.1.name": "see"},
        "cited": {"*.type": "response.output_text.annotation.added", "*.annotation.url": LINK},
        "refused": {"*.type": "response.refusal.done", "*.refusal": NO},
        "logprobs": {"*.logprobs.0.logprob": -0.25},
        "length": {"*.type": "response.incomplete",
                   "*.response.incomplete_details.reason": "max_output_tokens"},
        "stopped": {"*.type": "response.completed"},
        "filtered": {"*.response.incomplete_details.reason": "content_filter"},
        "cached": {"*.response.usage.input_tokens_details.cached_tokens": 15},
    },
    "anthropic": {
        "text": {"0.type": "message_start", "*.content_block.type": "text", "*.delta.text": TEXT,
                 "*.delta.stop_reason": "end_turn", "*.usage.input_tokens": 20,
                 "*.usage.output_tokens": 7, "*.type": "message_stop"},
        "thought": {"*.content_block.type": "thinking", "*.delta.thinking": THOUGHT,
                    "*.delta.text": TEXT, "*.index": 1},
        "calls": {"*.content_block.id": "call_look", "*.content_block.name": "see",
                  "*.delta.partial_json": AT, "*.index": 1, "*.delta.stop_reason": "tool_use"},
        "cited": {"*.delta.citation.url": LINK},
        "refused": {"*.delta.text": NO, "*.delta.stop_reason": "refusal"},
        "logprobs": {"*.delta.text": TEXT},
        "length": {"*.delta.stop_reason": "max_tokens"},
        "stopped": {"*.delta.stop_reason": "stop_sequence"},
        "filtered": {"*.delta.stop_reason": "refusal"},
        "cached": {"*.usage.cache_read_input_tokens": 15, "*.usage.input_tokens": 5},
    },
    "gemini": {
        "text": {"*.candidates.0.content.parts.0.text": TEXT,
                 "*.candidates.0.finishReason": "STOP", "*.usageMetadata.promptTokenCount": 20,
                 "*.usageMetadata.candidatesTokenCount": 7},
        "thought": {"*.candidates.0.content.parts.0": {"text": THOUGHT, "thought": True},
                    "*.candidates.0.content.parts.*.text": TEXT},
        "calls": {"*.candidates.0.content.parts.*.functionCall.name": "look",
                  "*.candidates.0.content.parts.*.functionCall": {
                      "id": "call_see", "name": "see", "args": {"at": "x"}},
                  "*.candidates.0.finishReason": "STOP"},
        "cited": {"*.candidates.0.groundingMetadata.groundingChunks.0.web.uri": LINK},
        "refused": {"*.candidates.0.content.parts.0.text": NO,
                    "*.candidates.0.finishReason": "SAFETY"},
        "logprobs": {
            "*.candidates.0.logprobsResult.chosenCandidates.0.logProbability": -0.25},
        "length": {"*.candidates.0.finishReason": "MAX_TOKENS"},
        "stopped": {"*.candidates.0.finishReason": "STOP"},
        "filtered": {"*.candidates.0.finishReason": "SAFETY"},
        "cached": {"*.usageMetadata.cachedContentTokenCount": 15},
    },
}  # fmt: skip
STREAMED_OF_PROVIDER: dict[tuple[str, str, str], Places] = {
    ("anthropic", "thought", "bedrock"): {"*.delta.signature": "signed"},
    ("openai-chat", "thought", "anthropic"): {
        "*.choices.0.delta.reasoning_details.0.signature": "signed"},
    ("openai-responses", "thought", "anthropic"): {
        "*.item.encrypted_content": "tierwise:anthropic:s:signed"},
    ("openai-chat", "refused", "anthropic"): {
        "*.choices.0.delta.content": NO, "*.choices.0.finish_reason": "content_filter"},
    ("openai-responses", "refused", "anthropic"): {
        "*.delta": NO, "*.type": "response.incomplete"},
    ("openai-chat", "refused", "openai_responses"): {"*.choices.0.delta.refusal": NO},
}  # fmt: skip
"""The same of streams."""
