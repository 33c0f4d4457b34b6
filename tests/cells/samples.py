"""A request in each client's dialect for everything that a request can ask for, as data.

A sample is the fields that a body has beside a plain one. The values are the same in all dialects,
so that what each provider is asked can be written down once. Where a dialect has none, its clients
cannot ask for it.
"""

from __future__ import annotations

from typing import Any

Body = dict[str, Any]

URL, FILE = "https://example.org/a", "file-1"
PNG, WAV, MP4, PDF = "aW1n", "c25k", "dmlk", "cGRm"
PAGE = "Once upon a time"
SCHEMA: Body = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"],
                "additionalProperties": False}  # fmt: skip
PARAMETERS: Body = {"type": "object", "properties": {"at": {"type": "string"}}}
BIAS = {"1734": -100}
LIMIT, BUDGET = 5000, 4000
_HI: Body = {"role": "user", "content": "Hi"}
_WELL: Body = {"role": "assistant", "content": "Well"}
_SO: Body = {"role": "user", "content": "So?"}
CLIENTS = ("openai-chat", "openai-responses", "anthropic", "gemini")
PLAIN: dict[str, Body] = {
    "openai-chat": {"model": "m", "messages": [_HI]},
    "openai-responses": {"model": "m", "input": "Hi"},
    "anthropic": {"model": "m", "max_tokens": LIMIT, "messages": [_HI]},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
}  # fmt: skip


def _chat(*content: Body) -> Body:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}, *content]}]}


def _responses(*content: Body) -> Body:
    text = {"type": "input_text", "text": "Hi"}
    return {"input": [{"role": "user", "content": [text, *content]}]}


def _gemini(*parts: Body) -> Body:
    return {"contents": [{"role": "user", "parts": [{"text": "Hi"}, *parts]}]}


def _config(**fields: Any) -> Body:
    return {"generationConfig": fields}


def _data(media: str, data: str) -> str:
    return f"data:{media};base64,{data}"


_CHAT_TOOL = {"type": "function", "function": {"name": "look", "parameters": PARAMETERS}}
_CHAT_OTHER = {"type": "function", "function": {"name": "see", "parameters": PARAMETERS}}
_CHAT_NAMED = [{"type": "function", "function": {"name": name}} for name in ("look", "see")]
_CHAT_CALLS = [
    {"id": f"call_{name}", "type": "function",
     "function": {"name": name, "arguments": f'{{"at":"{name}"}}'}}
    for name in ("look", "see")
]  # fmt: skip
_CHAT: dict[str, Body] = {
    "text": {},
    "system": {"messages": [{"role": "system", "content": "Be brief."}, _HI]},
    "developer": {"messages": [{"role": "developer", "content": "Be brief."}, _HI]},
    "image_data": _chat({"type": "image_url", "image_url": {"url": _data("image/png", PNG)}}),
    "image_url": _chat({"type": "image_url", "image_url": {"url": URL}}),
    "audio_data": _chat({"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}}),
    "video_data": _chat({"type": "video_url", "video_url": {"url": _data("video/mp4", MP4)}}),
    "video_url": _chat({"type": "video_url", "video_url": {"url": URL}}),
    "document_data": _chat({"type": "file", "file": {
        "file_data": _data("application/pdf", PDF), "filename": "a.pdf"}}),
    "document_url": _chat({"type": "file", "file": {"file_data": URL, "filename": "a.pdf"}}),
    "document_file": _chat({"type": "file", "file": {"file_id": FILE}}),
    "tools": {"tools": [_CHAT_TOOL]},
    "strict_tools": {"tools": [{"type": "function", "function": {
        "name": "look", "parameters": SCHEMA, "strict": True}}]},
    "several_calls": {"tools": [_CHAT_TOOL, _CHAT_OTHER], "messages": [
        _HI,
        {"role": "assistant", "content": None, "tool_calls": _CHAT_CALLS},
        {"role": "tool", "tool_call_id": "call_look", "content": "blue"},
        {"role": "tool", "tool_call_id": "call_see", "content": "green"},
    ]},
    "custom_tools": {"tools": [{"type": "custom", "custom": {"name": "sql"}}]},
    "tool_choice_none": {"tools": [_CHAT_TOOL], "tool_choice": "none"},
    "tool_choice_required": {"tools": [_CHAT_TOOL], "tool_choice": "required"},
    "tool_choice_named": {"tools": [_CHAT_TOOL, _CHAT_OTHER], "tool_choice": _CHAT_NAMED[0]},
    "tool_choice_several": {"tools": [_CHAT_TOOL, _CHAT_OTHER], "tool_choice": {
        "type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": _CHAT_NAMED}}},
    "one_tool_at_a_time": {"tools": [_CHAT_TOOL, _CHAT_OTHER], "parallel_tool_calls": False},
    "json_mode": {"response_format": {"type": "json_object"}},
    "json_schema": {"response_format": {"type": "json_schema", "json_schema": {
        "name": "form", "schema": SCHEMA, "strict": True}}},
    "stop": {"stop": ["END"]},
    "max_tokens": {"max_completion_tokens": LIMIT},
    "effort": {"reasoning_effort": "low"},
    "thinking_budget": {"reasoning": {"max_tokens": BUDGET}},
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
    "prefill": {"messages": [_HI, _WELL]},
    "cache": {"messages": [{"role": "system", "content": [
        {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]},
        _HI]},
    "stream": {"stream": True},
    "stream_usage": {"stream": True, "stream_options": {"include_usage": True}},
    "thoughts": {"messages": [
        _HI,
        {"role": "assistant", "content": "Well", "reasoning_details": [
            {"type": "reasoning.text", "text": "Hm", "signature": "signed",
             "format": "anthropic-claude-v1", "index": 0}]},
        _SO]},
}  # fmt: skip

_RESPONSES_TOOL = {"type": "function", "name": "look", "parameters": PARAMETERS, "strict": False}
_RESPONSES_OTHER = {"type": "function", "name": "see", "parameters": PARAMETERS, "strict": False}
_RESPONSES_CALLS = [
    {"type": "function_call", "call_id": f"call_{name}", "name": name,
     "arguments": f'{{"at":"{name}"}}'}
    for name in ("look", "see")
]  # fmt: skip
_RESPONSES: dict[str, Body] = {
    "text": {},
    "system": {"instructions": "Be brief."},
    "developer": {"input": [{"role": "developer", "content": "Be brief."}, _HI]},
    "image_data": _responses({"type": "input_image", "image_url": _data("image/png", PNG)}),
    "image_url": _responses({"type": "input_image", "image_url": URL}),
    "image_file": _responses({"type": "input_image", "file_id": FILE}),
    "audio_data": _responses(
        {"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}}),
    "document_data": _responses({"type": "input_file", "filename": "a.pdf",
                                 "file_data": _data("application/pdf", PDF)}),
    "document_url": _responses({"type": "input_file", "file_url": URL}),
    "document_file": _responses({"type": "input_file", "file_id": FILE}),
    "tools": {"tools": [_RESPONSES_TOOL]},
    "strict_tools": {"tools": [{**_RESPONSES_TOOL, "parameters": SCHEMA, "strict": True}]},
    "several_calls": {"tools": [_RESPONSES_TOOL, _RESPONSES_OTHER], "input": [
        _HI,
        *_RESPONSES_CALLS,
        {"type": "function_call_output", "call_id": "call_look", "output": "blue"},
        {"type": "function_call_output", "call_id": "call_see", "output": "green"},
    ]},
    "custom_tools": {"tools": [{"type": "custom", "name": "sql"}]},
    "tool_results_with_media": {"tools": [_RESPONSES_TOOL], "input": [
        _HI,
        _RESPONSES_CALLS[0],
        {"type": "function_call_output", "call_id": "call_look", "output": [
            {"type": "input_text", "text": "blue"},
            {"type": "input_image", "image_url": _data("image/png", PNG)}]},
    ]},
    "tool_choice_none": {"tools": [_RESPONSES_TOOL], "tool_choice": "none"},
    "tool_choice_required": {"tools": [_RESPONSES_TOOL], "tool_choice": "required"},
    "tool_choice_named": {"tools": [_RESPONSES_TOOL, _RESPONSES_OTHER],
                          "tool_choice": {"type": "function", "name": "look"}},
    "tool_choice_several": {"tools": [_RESPONSES_TOOL, _RESPONSES_OTHER], "tool_choice": {
        "type": "allowed_tools", "mode": "required",
        "tools": [{"type": "function", "name": "look"}, {"type": "function", "name": "see"}]}},
    "one_tool_at_a_time": {"tools": [_RESPONSES_TOOL, _RESPONSES_OTHER],
                           "parallel_tool_calls": False},
    "json_mode": {"text": {"format": {"type": "json_object"}}},
    "json_schema": {"text": {"format": {
        "type": "json_schema", "name": "form", "schema": SCHEMA, "strict": True}}},
    "max_tokens": {"max_output_tokens": LIMIT},
    "effort": {"reasoning": {"effort": "low"}},
    "logprobs": {"top_logprobs": 3, "include": ["message.output_text.logprobs"]},
    "temperature": {"temperature": 0.5},
    "top_p": {"top_p": 0.6},
    "service_tier": {"service_tier": "flex"},
    "verbosity": {"text": {"verbosity": "low"}},
    "prefill": {"input": [_HI, _WELL]},
    "stream": {"stream": True},
    "thoughts": {"input": [
        _HI,
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}],
         "encrypted_content": "tierwise:anthropic:s:signed"},
        _WELL,
        _SO]},
}  # fmt: skip

_ANTHROPIC_TOOL = {"name": "look", "input_schema": PARAMETERS}
_ANTHROPIC_OTHER = {"name": "see", "input_schema": PARAMETERS}


def _source(kind: str, **fields: str) -> Body:
    return {"type": kind, **fields}


def _anthropic(*content: Body) -> Body:
    return _chat(*content)


_ANTHROPIC: dict[str, Body] = {
    "text": {},
    "system": {"system": "Be brief."},
    "image_data": _anthropic({"type": "image", "source": _source(
        "base64", media_type="image/png", data=PNG)}),
    "image_url": _anthropic({"type": "image", "source": _source("url", url=URL)}),
    "image_file": _anthropic({"type": "image", "source": _source("file", file_id=FILE)}),
    "document_data": _anthropic({"type": "document", "title": "a.pdf", "source": _source(
        "base64", media_type="application/pdf", data=PDF)}),
    "document_url": _anthropic({"type": "document", "source": _source("url", url=URL)}),
    "document_text": _anthropic({"type": "document", "source": _source(
        "text", media_type="text/plain", data=PAGE)}),
    "document_file": _anthropic({"type": "document", "source": _source("file", file_id=FILE)}),
    "document_citations": _anthropic({
        "type": "document", "citations": {"enabled": True},
        "source": _source("text", media_type="text/plain", data=PAGE)}),
    "tools": {"tools": [_ANTHROPIC_TOOL]},
    "strict_tools": {"tools": [{"name": "look", "input_schema": SCHEMA, "strict": True}]},
    "several_calls": {"tools": [_ANTHROPIC_TOOL, _ANTHROPIC_OTHER], "messages": [
        _HI,
        {"role": "assistant", "content": [
            {"type": "tool_use", "id": f"call_{name}", "name": name, "input": {"at": name}}
            for name in ("look", "see")]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "call_look", "content": "blue"},
            {"type": "tool_result", "tool_use_id": "call_see", "content": "green"}]},
    ]},
    "tool_results_with_media": {"tools": [_ANTHROPIC_TOOL], "messages": [
        _HI,
        {"role": "assistant", "content": [
            {"type": "tool_use", "id": "call_look", "name": "look", "input": {"at": "look"}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "call_look", "content": [
                {"type": "text", "text": "blue"},
                {"type": "image", "source": _source(
                    "base64", media_type="image/png", data=PNG)}]}]},
    ]},
    "tool_choice_none": {"tools": [_ANTHROPIC_TOOL], "tool_choice": {"type": "none"}},
    "tool_choice_required": {"tools": [_ANTHROPIC_TOOL], "tool_choice": {"type": "any"}},
    "tool_choice_named": {"tools": [_ANTHROPIC_TOOL, _ANTHROPIC_OTHER],
                          "tool_choice": {"type": "tool", "name": "look"}},
    "one_tool_at_a_time": {"tools": [_ANTHROPIC_TOOL, _ANTHROPIC_OTHER],
                           "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
    "json_schema": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
    "stop": {"stop_sequences": ["END"]},
    "max_tokens": {},
    "effort": {"output_config": {"effort": "low"}},
    "thinking_budget": {"thinking": {"type": "enabled", "budget_tokens": BUDGET}},
    "temperature": {"temperature": 0.5},
    "top_p": {"top_p": 0.6},
    "top_k": {"top_k": 5},
    "prefill": {"messages": [_HI, _WELL]},
    "cache": {"system": [
        {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]},
    "stream": {"stream": True},
    "thoughts": {"messages": [
        _HI,
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "Hm", "signature": "signed"},
            {"type": "text", "text": "Well"}]},
        _SO]},
}  # fmt: skip

_GEMINI_LOOK = {"name": "look", "parametersJsonSchema": PARAMETERS}
_GEMINI_SEE = {"name": "see", "parametersJsonSchema": PARAMETERS}


def _file(media: str, uri: str = URL) -> Body:
    return {"fileData": {"mimeType": media, "fileUri": uri}}


def _inline(media: str, data: str) -> Body:
    return {"inlineData": {"mimeType": media, "data": data}}


def _calling(**fields: Any) -> Body:
    tools: Body = {"tools": [{"functionDeclarations": [_GEMINI_LOOK, _GEMINI_SEE]}]}
    return {**tools, "toolConfig": {"functionCallingConfig": fields}} if fields else tools


_KEPT = "https://generativelanguage.googleapis.com/v1beta/files/file-1"
_GEMINI: dict[str, Body] = {
    "text": {},
    "system": {"systemInstruction": {"parts": [{"text": "Be brief."}]}},
    "image_data": _gemini(_inline("image/png", PNG)),
    "image_url": _gemini(_file("image/png")),
    "image_file": _gemini(_file("image/png", _KEPT)),
    "audio_data": _gemini(_inline("audio/wav", WAV)),
    "audio_url": _gemini(_file("audio/wav")),
    "audio_file": _gemini(_file("audio/wav", _KEPT)),
    "video_data": _gemini(_inline("video/mp4", MP4)),
    "video_url": _gemini(_file("video/mp4")),
    "video_file": _gemini(_file("video/mp4", _KEPT)),
    "document_data": _gemini(_inline("application/pdf", PDF)),
    "document_url": _gemini(_file("application/pdf")),
    "document_file": _gemini(_file("application/pdf", _KEPT)),
    "tools": {"tools": [{"functionDeclarations": [_GEMINI_LOOK]}]},
    "several_calls": {**_calling(), "contents": [
        {"role": "user", "parts": [{"text": "Hi"}]},
        {"role": "model", "parts": [
            {"functionCall": {"id": f"call_{name}", "name": name, "args": {"at": name}}}
            for name in ("look", "see")]},
        {"role": "user", "parts": [
            {"functionResponse": {"id": f"call_{name}", "name": name, "response": {"output": said}}}
            for name, said in (("look", "blue"), ("see", "green"))]},
    ]},
    "tool_results_with_media": {"tools": [{"functionDeclarations": [_GEMINI_LOOK]}], "contents": [
        {"role": "user", "parts": [{"text": "Hi"}]},
        {"role": "model", "parts": [
            {"functionCall": {"id": "call_look", "name": "look", "args": {"at": "look"}}}]},
        {"role": "user", "parts": [{"functionResponse": {
            "id": "call_look", "name": "look", "response": {"output": "blue"},
            "parts": [_inline("image/png", PNG)]}}]},
    ]},
    "tool_choice_none": _calling(mode="NONE"),
    "tool_choice_required": _calling(mode="ANY"),
    "tool_choice_named": _calling(mode="ANY", allowedFunctionNames=["look"]),
    "tool_choice_several": _calling(mode="ANY", allowedFunctionNames=["look", "see"]),
    "json_mode": _config(responseMimeType="application/json"),
    "json_schema": _config(responseMimeType="application/json", responseJsonSchema=SCHEMA),
    "stop": _config(stopSequences=["END"]),
    "max_tokens": _config(maxOutputTokens=LIMIT),
    "effort": _config(thinkingConfig={"thinkingLevel": "low"}),
    "thinking_budget": _config(thinkingConfig={"thinkingBudget": BUDGET}),
    "logprobs": _config(responseLogprobs=True, logprobs=3),
    "seed": _config(seed=7),
    "choices": _config(candidateCount=2),
    "temperature": _config(temperature=0.5),
    "top_p": _config(topP=0.6),
    "top_k": _config(topK=5),
    "frequency_penalty": _config(frequencyPenalty=0.1),
    "presence_penalty": _config(presencePenalty=0.2),
    "safety": {"safetySettings": [
        {"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_ONLY_HIGH"}]},
    "service_tier": {"serviceTier": "flex"},
    "prefill": {"contents": [{"role": "user", "parts": [{"text": "Hi"}]},
                             {"role": "model", "parts": [{"text": "Well"}]}]},
    "stream": {},
    "thoughts": {"contents": [
        {"role": "user", "parts": [{"text": "Hi"}]},
        {"role": "model", "parts": [{"text": "Hm", "thought": True},
                                    {"text": "Well", "thoughtSignature": "c2ln"}]},
        {"role": "user", "parts": [{"text": "So?"}]}]},
}  # fmt: skip

SAMPLES: dict[str, dict[str, Body]] = {
    "openai-chat": _CHAT,
    "openai-responses": _RESPONSES,
    "anthropic": _ANTHROPIC,
    "gemini": _GEMINI,
}
ASKED = tuple(dict.fromkeys(name for samples in SAMPLES.values() for name in samples))
"""Everything that a client of some dialect can ask for."""
