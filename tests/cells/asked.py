"""What each provider is to be asked for a sample, as data: where in its body what stands.

A path leads through a body, `*` through any of a list. That nothing stands there is `NOTHING`; a
text that holds JSON is compared as that. What a provider cannot be asked is `REFUSED`. These are
the words of the providers' own references, and not of the code that is tested.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from cells.samples import (
    BIAS,
    BUDGET,
    FILE,
    LIMIT,
    MP4,
    PAGE,
    PARAMETERS,
    PDF,
    PNG,
    SCHEMA,
    URL,
    WAV,
)


class _Nothing:
    def __repr__(self) -> str:
        return "NOTHING"


class Json(NamedTuple):
    """A text that is this JSON."""

    value: Any


NOTHING = _Nothing()
REFUSED: None = None
Places = dict[str, Any]
Expected = dict[str, Places | None]

PAGE_DATA = "T25jZSB1cG9uIGEgdGltZQ=="
_REFUSED_BY_CHAT = (
    *("image_file", "audio_url", "audio_file", "video_file", "document_file", "document_citations"),
    *("safety", "prefill"),
)
CHAT: Expected = {
    **dict.fromkeys(_REFUSED_BY_CHAT, REFUSED),
    "text": {"messages.*.content": "Hi", "messages.*.role": "user"},
    "system": {"messages.0.role": "system", "messages.0.content": "Be brief."},
    "developer": {"messages.0.role": "system", "messages.0.content": "Be brief."},
    "image_data": {"messages.0.content.*.image_url.url": f"data:image/png;base64,{PNG}"},
    "image_url": {"messages.0.content.*.image_url.url": URL},
    "audio_data": {"messages.0.content.*.input_audio": {"data": WAV, "format": "wav"}},
    "video_data": {"messages.0.content.*.video_url.url": f"data:video/mp4;base64,{MP4}"},
    "video_url": {"messages.0.content.*.video_url.url": URL},
    "document_data": {"messages.0.content.*.file.file_data": f"data:application/pdf;base64,{PDF}"},
    "document_url": {"messages.0.content.*.file.file_data": URL},
    "document_text": {"messages.0.content.*.text": PAGE},
    "tools": {"tools.0.type": "function", "tools.0.function.name": "look",
              "tools.0.function.parameters": PARAMETERS},
    "strict_tools": {"tools.0.function.strict": True, "tools.0.function.parameters": SCHEMA},
    "several_calls": {
        "messages.1.tool_calls.0.function.name": "look",
        "messages.1.tool_calls.0.function.arguments": Json({"at": "look"}),
        "messages.1.tool_calls.1.id": "call_see",
        "messages.2": {"role": "tool", "tool_call_id": "call_look", "content": "blue"},
        "messages.3": {"role": "tool", "tool_call_id": "call_see", "content": "green"},
    },
    "custom_tools": {"tools.0": {"type": "custom", "custom": {"name": "sql"}}},
    # Its tools say text alone, so that the user shows the picture.
    "tool_results_with_media": {
        "messages.2.tool_call_id": "call_look", "messages.2.content": "blue",
        "messages.3.role": "user",
        "messages.3.content.*.image_url.url": f"data:image/png;base64,{PNG}",
    },
    "tool_choice_none": {"tool_choice": "none"},
    "tool_choice_required": {"tool_choice": "required"},
    "tool_choice_named": {"tool_choice": {"type": "function", "function": {"name": "look"}}},
    "tool_choice_several": {
        "tool_choice.type": "allowed_tools", "tool_choice.allowed_tools.mode": "required",
        "tool_choice.allowed_tools.tools.1.function.name": "see",
    },
    "one_tool_at_a_time": {"parallel_tool_calls": False},
    "json_mode": {"response_format": {"type": "json_object"}},
    "json_schema": {"response_format.type": "json_schema",
                    "response_format.json_schema.schema": SCHEMA},
    "stop": {"stop": ["END"]},
    "max_tokens": {"max_tokens": LIMIT},
    "effort": {"reasoning_effort": "low"},
    "thinking_budget": {"reasoning_effort": "medium", "reasoning": NOTHING},
    "logprobs": {"logprobs": True, "top_logprobs": 3},
    "logit_bias": {"logit_bias": BIAS},
    "seed": {"seed": 7},
    "choices": {"n": 2},
    "temperature": {"temperature": 0.5},
    "top_p": {"top_p": 0.6},
    "top_k": {"top_k": 5},
    "frequency_penalty": {"frequency_penalty": 0.1},
    "presence_penalty": {"presence_penalty": 0.2},
    "service_tier": {"service_tier": "flex"},
    "verbosity": {"verbosity": "low"},
    # As OpenRouter takes them; who refuses them has a quirk that says so.
    "cache": {"messages.0.content.0.cache_control": {"type": "ephemeral"}},
    "stream": {"stream": True, "stream_options": {"include_usage": True}},
    "stream_usage": {"stream": True, "stream_options": {"include_usage": True}},
    "thoughts": {"messages.1": {"role": "assistant", "content": "Well"}},
}  # fmt: skip

# https://docs.mistral.ai/api/endpoint/chat
MISTRAL: Expected = {
    **CHAT,
    **dict.fromkeys(
        ("video_data", "video_url", "custom_tools", "tool_choice_several", "logprobs", "logit_bias",
         "top_k", "service_tier", "verbosity"), REFUSED),
    "audio_data": {"messages.0.content.*.input_audio": WAV},
    "document_data": {
        "messages.0.content.*.document_url": f"data:application/pdf;base64,{PDF}"},
    "document_url": {"messages.0.content.*.document_url": URL},
    "several_calls": {
        "messages.1.tool_calls.0.function.name": "look",
        "messages.1.tool_calls.1.function.arguments": Json({"at": "see"}),
        # Nine letters and digits, made of the caller's, the same in the call and its result.
        "messages.1.tool_calls.0.id": "MmAQSEvyv", "messages.2.tool_call_id": "MmAQSEvyv",
        "messages.1.tool_calls.1.id": "evQpbPDRG", "messages.3.tool_call_id": "evQpbPDRG",
        "messages.2.content": "blue", "messages.3.content": "green",
    },
    "tool_results_with_media": {
        "messages.2.tool_call_id": "MmAQSEvyv",
        "messages.3.content.*.image_url.url": f"data:image/png;base64,{PNG}",
    },
    "seed": {"random_seed": 7, "seed": NOTHING},
    "cache": {"messages.0.content.0.cache_control": NOTHING, "messages.0.role": "system"},
    # It sends usage unasked.
    "stream": {"stream": True, "stream_options": NOTHING},
    "stream_usage": {"stream": True, "stream_options": NOTHING},
}  # fmt: skip

# https://learn.microsoft.com/azure/foundry/openai/reference: as OpenAI's own, here of GPT-4o, which
# does not think.
AZURE: Expected = {
    **CHAT,
    **dict.fromkeys(
        ("video_data", "video_url", "document_url", "top_k", "effort", "thinking_budget"), REFUSED),
    "max_tokens": {"max_completion_tokens": LIMIT, "max_tokens": NOTHING},
    "cache": {"messages.0.content.0.cache_control": NOTHING, "messages.0.role": "system"},
}  # fmt: skip

# https://platform.openai.com/docs/api-reference/responses/create
RESPONSES: Expected = {
    **dict.fromkeys(
        ("audio_url", "audio_file", "video_data", "video_url", "video_file", "image_file",
         "document_file", "document_citations", "stop", "logit_bias", "seed", "choices", "top_k",
         "frequency_penalty", "presence_penalty", "safety", "prefill"), REFUSED),
    "text": {"input.0.role": "user", "input.0.content": "Hi", "store": False},
    "system": {"instructions": "Be brief."},
    "developer": {"input.0.role": "developer", "input.0.content": "Be brief."},
    "image_data": {"input.0.content.1.type": "input_image",
                   "input.0.content.1.image_url": f"data:image/png;base64,{PNG}"},
    "image_url": {"input.0.content.1.type": "input_image", "input.0.content.1.image_url": URL},
    "audio_data": {"input.0.content.1.type": "input_audio",
                   "input.0.content.1.input_audio": {"data": WAV, "format": "wav"}},
    "document_data": {"input.0.content.1.type": "input_file",
                      "input.0.content.1.file_data": f"data:application/pdf;base64,{PDF}"},
    "document_url": {"input.0.content.1.file_url": URL},
    "document_text": {"input.0.content.1.file_data": f"data:text/plain;base64,{PAGE_DATA}"},
    "tools": {"tools.0.type": "function", "tools.0.name": "look", "tools.0.parameters": PARAMETERS,
              "tools.0.strict": False},
    "strict_tools": {"tools.0.strict": True, "tools.0.parameters": SCHEMA},
    "several_calls": {
        "input.1.type": "function_call", "input.1.call_id": "call_look", "input.1.name": "look",
        "input.1.arguments": Json({"at": "look"}), "input.2.call_id": "call_see",
        "input.3": {"type": "function_call_output", "call_id": "call_look", "output": "blue"},
        "input.4": {"type": "function_call_output", "call_id": "call_see", "output": "green"},
    },
    "custom_tools": {"tools.0": {"type": "custom", "name": "sql"}},
    "tool_results_with_media": {
        "input.2.call_id": "call_look", "input.2.output.0.text": "blue",
        "input.2.output.1.image_url": f"data:image/png;base64,{PNG}",
    },
    "tool_choice_none": {"tool_choice": "none"},
    "tool_choice_required": {"tool_choice": "required"},
    "tool_choice_named": {"tool_choice": {"type": "function", "name": "look"}},
    "tool_choice_several": {
        "tool_choice.type": "allowed_tools", "tool_choice.mode": "required",
        "tool_choice.tools.1": {"type": "function", "name": "see"},
    },
    "one_tool_at_a_time": {"parallel_tool_calls": False},
    "json_mode": {"text.format": {"type": "json_object"}},
    "json_schema": {"text.format.type": "json_schema", "text.format.schema": SCHEMA},
    "max_tokens": {"max_output_tokens": LIMIT},
    "effort": {"reasoning.effort": "low", "include.0": "reasoning.encrypted_content"},
    "thinking_budget": {"reasoning.effort": "medium"},
    "logprobs": {"top_logprobs": 3, "include.0": "message.output_text.logprobs"},
    "temperature": {"temperature": 0.5},
    "top_p": {"top_p": 0.6},
    "service_tier": {"service_tier": "flex"},
    "verbosity": {"text.verbosity": "low"},
    "cache": {"instructions": "Be brief.", "cache_control": NOTHING},
    "stream": {"stream": True},
    "stream_usage": {"stream": True, "stream_options": NOTHING},
    "thoughts": {"input.1.role": "assistant", "input.*.encrypted_content": NOTHING,
                 "input.3": NOTHING},
}  # fmt: skip

_TOOL = {"name": "look", "input_schema": PARAMETERS}
_USER = "messages.0.content.1"
# https://platform.claude.com/docs/en/api/messages; Claude Opus 4.5 takes all of it.
ANTHROPIC: Expected = {
    **dict.fromkeys(
        ("audio_data", "audio_url", "audio_file", "video_data", "video_url", "video_file",
         "image_file", "document_file", "custom_tools", "json_mode", "logprobs", "logit_bias",
         "seed", "choices", "frequency_penalty", "presence_penalty", "safety", "service_tier",
         "verbosity"), REFUSED),
    "text": {"messages.0.role": "user", "messages.0.content.0": {"type": "text", "text": "Hi"},
             "max_tokens": 4096},
    "system": {"system.0.text": "Be brief."},
    "developer": {"system.0.text": "Be brief."},
    "image_data": {_USER: {"type": "image", "source": {
        "type": "base64", "media_type": "image/png", "data": PNG}}},
    "image_url": {_USER: {"type": "image", "source": {"type": "url", "url": URL}}},
    "document_data": {f"{_USER}.type": "document", f"{_USER}.source": {
        "type": "base64", "media_type": "application/pdf", "data": PDF}},
    "document_url": {f"{_USER}.source": {"type": "url", "url": URL}},
    "tools": {"tools.0": _TOOL},
    "strict_tools": {"tools.0": {"name": "look", "input_schema": SCHEMA, "strict": True}},
    "several_calls": {
        "messages.1.content.0": {
            "type": "tool_use", "id": "call_look", "name": "look", "input": {"at": "look"}},
        "messages.1.content.1.id": "call_see",
        "messages.2.role": "user", "messages.2.content.0.type": "tool_result",
        "messages.2.content.0.tool_use_id": "call_look",
        "messages.2.content.1.tool_use_id": "call_see",
    },
    "tool_results_with_media": {
        "messages.2.content.0.content.0.text": "blue",
        "messages.2.content.0.content.1.source.data": PNG,
    },
    "tool_choice_none": {"tool_choice": {"type": "none"}},
    "tool_choice_required": {"tool_choice": {"type": "any"}},
    "tool_choice_named": {"tool_choice": {"type": "tool", "name": "look"}},
    "tool_choice_several": {"tool_choice": {"type": "any"}, "tools.0.name": "look",
                            "tools.1.name": "see"},
    "one_tool_at_a_time": {
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
    "json_schema": {"output_config.format": {"type": "json_schema", "schema": SCHEMA}},
    "stop": {"stop_sequences": ["END"]},
    "max_tokens": {"max_tokens": LIMIT},
    "effort": {"output_config.effort": "low"},
    "thinking_budget": {"thinking": {"type": "enabled", "budget_tokens": BUDGET}},
    "temperature": {"temperature": 0.5},
    "top_p": {"top_p": 0.6},
    "top_k": {"top_k": 5},
    "prefill": {"messages.1.role": "assistant", "messages.1.content.0.text": "Well"},
    "cache": {"system.0.cache_control": {"type": "ephemeral"}},
    "stream": {"stream": True},
    "stream_usage": {"stream": True},
    "thoughts": {
        "messages.1.content.0": {"type": "thinking", "thinking": "Hm", "signature": "signed"}},
}  # fmt: skip

_PART = "contents.0.parts.1"
_CALLING = "toolConfig.functionCallingConfig"
_CONFIG = "generationConfig"
# https://ai.google.dev/api/generate-content; Gemini 2.0 Flash is told to think by budgets.
GEMINI: Expected = {
    **dict.fromkeys(
        ("image_file", "document_file", "document_citations", "custom_tools", "one_tool_at_a_time",
         "logit_bias", "verbosity", "prefill"), REFUSED),
    "text": {"contents.0": {"role": "user", "parts": [{"text": "Hi"}]}},
    "system": {"systemInstruction.parts.0.text": "Be brief."},
    "developer": {"systemInstruction.parts.0.text": "Be brief."},
    "image_data": {_PART: {"inlineData": {"mimeType": "image/png", "data": PNG}}},
    "image_url": {f"{_PART}.fileData.fileUri": URL},
    "audio_data": {_PART: {"inlineData": {"mimeType": "audio/wav", "data": WAV}}},
    "video_data": {_PART: {"inlineData": {"mimeType": "video/mp4", "data": MP4}}},
    "video_url": {f"{_PART}.fileData": {"mimeType": "video/mp4", "fileUri": URL}},
    "document_data": {f"{_PART}.inlineData.mimeType": "application/pdf",
                      f"{_PART}.inlineData.data": PDF},
    "document_url": {f"{_PART}.fileData.fileUri": URL},
    "document_text": {f"{_PART}.inlineData": {"mimeType": "text/plain", "data": PAGE_DATA}},
    "tools": {"tools.0.functionDeclarations.0": {
        "name": "look", "parametersJsonSchema": PARAMETERS}},
    "strict_tools": {f"{_CALLING}.mode": "VALIDATED"},
    "several_calls": {
        "contents.1.role": "model",
        "contents.1.parts.0.functionCall.args": {"at": "look"},
        "contents.1.parts.1.functionCall.name": "see",
        "contents.2.parts.0.functionResponse.response": {"output": "blue"},
        "contents.2.parts.1.functionResponse.name": "see",
    },
    "tool_results_with_media": {
        "contents.2.parts.0.functionResponse.response": {"output": "blue"},
        "contents.2.parts.0.functionResponse.parts.0.inlineData.data": PNG,
    },
    "tool_choice_none": {f"{_CALLING}.mode": "NONE"},
    "tool_choice_required": {f"{_CALLING}.mode": "ANY"},
    "tool_choice_named": {_CALLING: {"mode": "ANY", "allowedFunctionNames": ["look"]}},
    "tool_choice_several": {_CALLING: {"mode": "ANY", "allowedFunctionNames": ["look", "see"]}},
    "json_mode": {f"{_CONFIG}.responseMimeType": "application/json"},
    "json_schema": {f"{_CONFIG}.responseMimeType": "application/json",
                    f"{_CONFIG}.responseJsonSchema": SCHEMA},
    "stop": {f"{_CONFIG}.stopSequences": ["END"]},
    "max_tokens": {f"{_CONFIG}.maxOutputTokens": LIMIT},
    "effort": {f"{_CONFIG}.thinkingConfig": {"thinkingBudget": 1024}},
    "thinking_budget": {f"{_CONFIG}.thinkingConfig": {"thinkingBudget": BUDGET}},
    "logprobs": {f"{_CONFIG}.responseLogprobs": True, f"{_CONFIG}.logprobs": 3},
    "seed": {f"{_CONFIG}.seed": 7},
    "choices": {f"{_CONFIG}.candidateCount": 2},
    "temperature": {f"{_CONFIG}.temperature": 0.5},
    "top_p": {f"{_CONFIG}.topP": 0.6},
    "top_k": {f"{_CONFIG}.topK": 5},
    "frequency_penalty": {f"{_CONFIG}.frequencyPenalty": 0.1},
    "presence_penalty": {f"{_CONFIG}.presencePenalty": 0.2},
    "service_tier": {"serviceTier": "flex"},
    "cache": {"systemInstruction.parts.0": {"text": "Be brief."}},
    # The URL says that it streams.
    "stream": {"stream": NOTHING},
    "stream_usage": {"stream": NOTHING},
    "thoughts": {"contents.1": {"role": "model", "parts": [{"text": "Well"}]}},
}  # fmt: skip

# https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference; of Gemini 3.
VERTEX: Expected = {
    **GEMINI,
    **dict.fromkeys(("logprobs", "frequency_penalty", "presence_penalty"), REFUSED),
    "effort": {f"{_CONFIG}.thinkingConfig.thinkingLevel": "LOW"},
    "several_calls": {
        "contents.1.parts.0.functionCall.args": {"at": "look"},
        # https://ai.google.dev/gemini-api/docs/thought-signatures
        "contents.1.parts.0.thoughtSignature": "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=",
        "contents.2.parts.0.functionResponse.response": {"output": "blue"},
    },
}

_SPEC = "toolConfig.tools.0.toolSpec"
# https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html, for Claude.
BEDROCK: Expected = {
    **dict.fromkeys(
        ("image_url", "image_file", "audio_url", "audio_file", "video_url", "video_file",
         "document_url", "document_file", "custom_tools", "tool_choice_none", "tool_choice_several",
         "one_tool_at_a_time", "json_mode", "logprobs", "logit_bias", "seed", "choices",
         "frequency_penalty", "presence_penalty", "safety", "verbosity"), REFUSED),
    "text": {"messages.0": {"role": "user", "content": [{"text": "Hi"}]}},
    "system": {"system": [{"text": "Be brief."}]},
    "developer": {"system": [{"text": "Be brief."}]},
    "image_data": {_USER: {"image": {"format": "png", "source": {"bytes": PNG}}}},
    "audio_data": {_USER: {"audio": {"format": "wav", "source": {"bytes": WAV}}}},
    "video_data": {_USER: {"video": {"format": "mp4", "source": {"bytes": MP4}}}},
    "document_data": {f"{_USER}.document.format": "pdf",
                      f"{_USER}.document.source": {"bytes": PDF}},
    "document_text": {f"{_USER}.document.format": "txt",
                      f"{_USER}.document.source": {"bytes": PAGE_DATA}},
    "document_citations": {f"{_USER}.document.citations": {"enabled": True}},
    "tools": {f"{_SPEC}.name": "look", f"{_SPEC}.inputSchema.json": PARAMETERS},
    "strict_tools": {f"{_SPEC}.strict": True, f"{_SPEC}.inputSchema.json": SCHEMA},
    "several_calls": {
        "messages.1.content.0.toolUse": {
            "toolUseId": "call_look", "name": "look", "input": {"at": "look"}},
        "messages.1.content.1.toolUse.name": "see",
        "messages.2.role": "user",
        "messages.2.content.0.toolResult.toolUseId": "call_look",
        "messages.2.content.1.toolResult.content": [{"text": "green"}],
    },
    "tool_results_with_media": {
        "messages.2.content.0.toolResult.content.1.image.source.bytes": PNG},
    "tool_choice_required": {"toolConfig.toolChoice": {"any": {}}},
    "tool_choice_named": {"toolConfig.toolChoice": {"tool": {"name": "look"}}},
    "json_schema": {"outputConfig.textFormat.type": "json_schema",
                    "outputConfig.textFormat.structure.jsonSchema.schema": Json(SCHEMA)},
    "stop": {"inferenceConfig.stopSequences": ["END"]},
    "max_tokens": {"inferenceConfig.maxTokens": LIMIT},
    # Of Claude before 4.6 by a budget.
    "effort": {"additionalModelRequestFields.thinking": {
        "type": "enabled", "budget_tokens": 2048}},
    "thinking_budget": {"additionalModelRequestFields.thinking": {
        "type": "enabled", "budget_tokens": BUDGET}},
    "temperature": {"inferenceConfig.temperature": 0.5},
    "top_p": {"inferenceConfig.topP": 0.6},
    "top_k": {"additionalModelRequestFields.top_k": 5},
    "service_tier": {"serviceTier": {"type": "flex"}},
    "prefill": {"messages.1": {"role": "assistant", "content": [{"text": "Well"}]}},
    "cache": {"system.1": {"cachePoint": {"type": "default"}}},
    # The URL says that it streams.
    "stream": {"stream": NOTHING},
    "stream_usage": {"stream": NOTHING},
    "thoughts": {"messages.1.content.0.reasoningContent.reasoningText": {
        "text": "Hm", "signature": "signed"}},
}  # fmt: skip

# https://docs.cohere.com/reference/chat
COHERE: Expected = {
    **dict.fromkeys(
        ("image_file", "audio_data", "audio_url", "audio_file", "video_data", "video_url",
         "video_file", "document_data", "document_url", "document_file", "custom_tools",
         "tool_results_with_media", "one_tool_at_a_time", "logprobs", "logit_bias", "choices",
         "safety", "service_tier", "verbosity", "prefill"), REFUSED),
    "text": {"messages.0.role": "user", "messages.0.content.0.text": "Hi"},
    "system": {"messages.0": {"role": "system", "content": "Be brief."}},
    "developer": {"messages.0": {"role": "system", "content": "Be brief."}},
    "image_data": {f"{_USER}.image_url.url": f"data:image/png;base64,{PNG}"},
    "image_url": {f"{_USER}.image_url.url": URL},
    "document_text": {f"{_USER}.text": PAGE},
    "document_citations": {"documents.0.data.text": PAGE},
    "tools": {"tools.0.function": {"name": "look", "parameters": PARAMETERS}},
    "strict_tools": {"strict_tools": True},
    "several_calls": {
        "messages.1.tool_calls.0.function.arguments": Json({"at": "look"}),
        "messages.1.tool_calls.1.id": "call_see",
        "messages.2": {"role": "tool", "tool_call_id": "call_look", "content": "blue"},
        "messages.3.content": "green",
    },
    "tool_choice_none": {"tool_choice": "NONE"},
    "tool_choice_required": {"tool_choice": "REQUIRED"},
    "tool_choice_named": {"tool_choice": "REQUIRED", "tools.0.function.name": "look",
                          "tools.1": NOTHING},
    "tool_choice_several": {"tool_choice": "REQUIRED", "tools.1.function.name": "see"},
    "json_mode": {"response_format": {"type": "json_object"}},
    "json_schema": {"response_format": {"type": "json_object", "json_schema": SCHEMA}},
    "stop": {"stop_sequences": ["END"]},
    "max_tokens": {"max_tokens": LIMIT},
    "effort": {"thinking": {"type": "enabled", "token_budget": 2048}},
    "thinking_budget": {"thinking": {"type": "enabled", "token_budget": BUDGET}},
    "seed": {"seed": 7},
    "temperature": {"temperature": 0.5},
    "top_p": {"p": 0.6},
    "top_k": {"k": 5},
    "frequency_penalty": {"frequency_penalty": 0.1},
    "presence_penalty": {"presence_penalty": 0.2},
    "cache": {"messages.0": {"role": "system", "content": "Be brief."}},
    "stream": {"stream": True},
    "stream_usage": {"stream": True},
    "thoughts": {"messages.1.content": [{"type": "text", "text": "Well"}]},
}  # fmt: skip

BODIES: dict[str, Expected] = {
    "openai_compatible": CHAT,
    "azure": AZURE,
    "mistral": MISTRAL,
    "openai_responses": RESPONSES,
    "anthropic": ANTHROPIC,
    "gemini": GEMINI,
    "vertex": VERTEX,
    "bedrock": BEDROCK,
    "cohere": COHERE,
}

OF_CLIENT: dict[tuple[str, str, str], Places] = {
    # A file that lies with OpenAI is found by either of its dialects.
    ("openai_compatible", "document_file", "openai-responses"): {
        "messages.0.content.*.file.file_id": FILE},
    ("azure", "document_file", "openai-responses"): {"messages.0.content.*.file.file_id": FILE},
    ("mistral", "document_file", "openai-responses"): {"messages.0.content.*.file_id": FILE},
    ("mistral", "document_file", "openai-chat"): {"messages.0.content.*.file_id": FILE},
    ("openai_responses", "document_file", "openai-chat"): {"input.0.content.*.file_id": FILE},
    # What is no other dialect's business to turn into words passes.
    ("mistral", "prefill", "openai-chat"): {"messages.1.content": "Well"},
    # A thought that Anthropic signed is shown to no other, nor one of Gemini's to Anthropic.
    ("openai_responses", "thoughts", "openai-responses"): {
        "input.1": {"role": "assistant", "content": "Well"}, "input.3": NOTHING},
    ("anthropic", "thoughts", "gemini"): {
        "messages.1.content": [{"type": "text", "text": "Well"}]},
    ("bedrock", "thoughts", "gemini"): {"messages.1.content": [{"text": "Well"}]},
    # Models before Gemini 3 refuse levels.
    ("gemini", "effort", "gemini"): {
        "generationConfig.thinkingConfig": {"thinkingBudget": 1024}},
    ("azure", "cache", "openai-chat"): {
        "messages.0.content": [{"type": "text", "text": "Be brief."}]},
}  # fmt: skip
"""Where it depends on the client: by adapter, sample and client's dialect."""
