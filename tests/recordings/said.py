"""What an answer says, read from its bytes by each dialect's own rules.

This is the other reader: it shares no code with the one that it checks, takes its time, and knows
only what a client has to know.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from recordings.cited import cited

_Json = dict[str, Any]


@dataclass
class Said:
    """The first choice of an answer. `usage` is tokens read and tokens written.

    `finish` is `stop`, `length`, `tool_calls` or `filter`; `thoughts` are what is shown of them,
    `cached` the tokens that were read from a cache, `ids` those of the calls, `pages` are cited.
    """

    text: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    finish: str = ""
    usage: tuple[int, int] | None = None
    thoughts: str = ""
    cached: int = 0
    ids: list[str] = field(default_factory=list)
    pages: set[str] = field(default_factory=set)

    def settled(self) -> Said:
        """With a finish that means the same in every dialect: whether tools are called shows in
        the answer."""
        if self.usage == (0, 0):
            self.usage = None
        if self.calls and self.finish == "stop":
            self.finish = "tool_calls"
        elif not self.calls and self.finish == "tool_calls":
            self.finish = "stop"
        return self


def whole(dialect: str, body: bytes) -> Said:
    """What a whole answer says."""
    read = json.loads(body)
    said = _WHOLE[dialect](read).settled()
    said.pages = cited(dialect, [read])
    return said


def streamed(dialect: str, body: bytes) -> Said:
    """What a stream says."""
    events = list(_events(body))
    said = _STREAMED[dialect](events).settled()
    said.pages = cited(dialect, events)
    return said


def _events(body: bytes) -> Iterator[_Json]:
    """The JSON objects of server-sent events."""
    data: list[str] = []
    for line in [*body.decode().replace("\r\n", "\n").split("\n"), ""]:
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            text, data = "\n".join(data), []
            if text.strip() not in ("", "[DONE]"):
                yield json.loads(text)


def _arguments(text: str) -> Any:
    """Arguments; those that are no object stand in one where calls have one."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"arguments": text}


def _chat_finish(reason: str | None) -> str:
    known = {"length": "length", "tool_calls": "tool_calls", "function_call": "tool_calls"}
    known["model_length"] = "length"  # Mistral's
    if reason == "content_filter":
        return "filter"
    return known.get(reason or "", "stop")


def _chat_usage(usage: _Json | None) -> tuple[int, int] | None:
    if not usage:
        return None
    read, written = usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
    return read, max(written, (usage.get("total_tokens") or 0) - read)


def _chat_cached(usage: _Json | None) -> int:
    details = (usage or {}).get("prompt_tokens_details") or {}
    return details.get("cached_tokens") or (usage or {}).get("prompt_cache_hit_tokens") or 0


def _chat_thoughts(message: _Json) -> str:
    """What is shown of thoughts: in a field of their own, or among the parts of the content."""
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    among = [piece.get("text") or "" for one in parts for piece in one.get("thinking") or ()]
    own = message.get("reasoning_content") or message.get("reasoning")
    if not own:
        details = message.get("reasoning_details") or ()
        own = "".join(one.get("text") or one.get("summary") or "" for one in details)
    return own + "".join(among)


def _chat_text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(one.get("text") or "" for one in content if one.get("type") == "text")
    return content or ""


def _chat_called(call: _Json) -> tuple[str, Any]:
    """A call. What a tool is told in free text stands in an object where calls have one."""
    custom = call.get("custom")
    if custom:
        return custom["name"], {"arguments": custom.get("input") or ""}
    return call["function"]["name"], _arguments(call["function"].get("arguments"))


def _chat_whole(body: _Json) -> Said:
    choice = min(body["choices"], key=lambda one: one.get("index") or 0)
    message = choice["message"]
    return Said(
        _chat_text(message.get("content")) + (message.get("refusal") or ""),
        [_chat_called(call) for call in message.get("tool_calls") or ()],
        _chat_finish(choice.get("finish_reason")),
        _chat_usage(body.get("usage")),
        _chat_thoughts(message),
        _chat_cached(body.get("usage")),
        [call.get("id") or "" for call in message.get("tool_calls") or ()],
    )


def _chat_stream(events: list[_Json]) -> Said:
    said = Said()
    calls: dict[int, list[str]] = {}
    for event in events:
        if event.get("usage"):
            said.usage = _chat_usage(event["usage"])
            said.cached = _chat_cached(event["usage"])
        for choice in event.get("choices") or ():
            if choice.get("index"):
                continue
            delta = choice.get("delta") or {}
            said.text += _chat_text(delta.get("content")) + (delta.get("refusal") or "")
            said.thoughts += _chat_thoughts(delta)
            for number, call in enumerate(delta.get("tool_calls") or ()):
                one = calls.setdefault(call.get("index", number), ["", "", ""])
                one[2] = one[2] or call.get("id") or ""
                function = call.get("function") or {}
                one[0] += function.get("name") or ""
                one[1] += function.get("arguments") or ""
            if choice.get("finish_reason"):
                said.finish = _chat_finish(choice["finish_reason"])
    said.calls = [(name, _arguments(text)) for name, text, _ in calls.values()]
    said.ids = [id for _, _, id in calls.values()]
    return said


_ANTHROPIC_FINISH = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "filter",
}


def _anthropic_usage(usage: _Json) -> tuple[int, int]:
    cached = ("cache_read_input_tokens", "cache_creation_input_tokens")
    read = (usage.get("input_tokens") or 0) + sum(usage.get(name) or 0 for name in cached)
    return read, usage.get("output_tokens") or 0


def _anthropic_whole(body: _Json) -> Said:
    content = body["content"]
    return Said(
        "".join(one["text"] for one in content if one["type"] == "text"),
        [(one["name"], one["input"]) for one in content if one["type"] == "tool_use"],
        _ANTHROPIC_FINISH.get(body["stop_reason"], "stop"),
        _anthropic_usage(body["usage"]),
        "".join(one["thinking"] for one in content if one["type"] == "thinking"),
        body["usage"].get("cache_read_input_tokens") or 0,
        [one["id"] for one in content if one["type"] == "tool_use"],
    )


def _anthropic_stream(events: list[_Json]) -> Said:
    said = Said()
    usage: _Json = {}
    calls: dict[int, list[str]] = {}
    for event in events:
        match event["type"]:
            case "message_start":
                usage.update(event["message"].get("usage") or {})
            case "content_block_start":
                block = event["content_block"]
                if block["type"] == "tool_use":
                    begun = json.dumps(block["input"]) if block.get("input") else ""
                    calls[event["index"]] = [block["name"], begun]
                    said.ids.append(block["id"])
                elif block["type"] == "text":
                    said.text += block["text"]
            case "content_block_delta":
                delta = event["delta"]
                if delta["type"] == "text_delta":
                    said.text += delta["text"]
                elif delta["type"] == "thinking_delta":
                    said.thoughts += delta["thinking"]
                elif delta["type"] == "input_json_delta" and event["index"] in calls:
                    calls[event["index"]][1] += delta["partial_json"]
            case "message_delta":
                said.finish = _ANTHROPIC_FINISH.get(event["delta"].get("stop_reason"), "stop")
                told = (event.get("usage") or {}).items()
                usage.update({name: count for name, count in told if count is not None})
            case "error":
                raise AssertionError(event)
    said.calls = [(name, _arguments(text)) for name, text in calls.values()]
    said.usage = _anthropic_usage(usage)
    said.cached = usage.get("cache_read_input_tokens") or 0
    return said


def _gemini_usage(usage: _Json | None) -> tuple[int, int] | None:
    if not usage:
        return None
    read = (usage.get("promptTokenCount") or 0) + (usage.get("toolUsePromptTokenCount") or 0)
    return read, (usage.get("candidatesTokenCount") or 0) + (usage.get("thoughtsTokenCount") or 0)


def _gemini_whole(body: _Json) -> Said:
    return _gemini_stream([body])


def _gemini_stream(events: list[_Json]) -> Said:
    said = Said()
    for event in events:
        counts = event.get("usageMetadata") or {}
        said.usage = _gemini_usage(counts) or said.usage
        said.cached = counts.get("cachedContentTokenCount") or said.cached
        if (event.get("promptFeedback") or {}).get("blockReason"):
            said.finish = "filter"
            blocked = event["promptFeedback"]
            said.text += blocked.get("blockReasonMessage") or (
                f"The prompt was blocked: {blocked['blockReason']}."
            )
        for candidate in event.get("candidates") or ():
            if candidate.get("index"):
                continue
            for part in (candidate.get("content") or {}).get("parts") or ():
                if "functionCall" in part:
                    call = part["functionCall"]
                    said.calls.append((call["name"], call.get("args") or {}))
                    said.ids.append(call.get("id") or "")
                elif part.get("thought"):
                    said.thoughts += part.get("text") or ""
                else:
                    said.text += part.get("text") or ""
            reason = candidate.get("finishReason")
            if reason:
                known = {"STOP": "stop", "MAX_TOKENS": "length"}
                said.finish = known.get(reason, "filter")
    return said


def _responses_whole(body: _Json) -> Said:
    said = Said()
    for item in body["output"]:
        if item["type"] == "message":
            for piece in item["content"]:
                said.text += piece.get("text") or piece.get("refusal") or ""
        elif item["type"] == "function_call":
            said.calls.append((item["name"], _arguments(item["arguments"])))
            said.ids.append(item["call_id"])
        elif item["type"] == "custom_tool_call":
            said.calls.append((item["name"], {"arguments": item["input"]}))
            said.ids.append(item["call_id"])
        elif item["type"] == "reasoning":
            pieces = [*(item.get("summary") or ()), *(item.get("content") or ())]
            said.thoughts += "".join(piece["text"] for piece in pieces)
    why = (body.get("incomplete_details") or {}).get("reason")
    if body.get("status") == "incomplete":
        said.finish = "filter" if why == "content_filter" else "length"
    else:
        said.finish = "stop"
    usage = body.get("usage")
    if usage:
        said.usage = usage["input_tokens"], usage["output_tokens"]
        said.cached = (usage.get("input_tokens_details") or {}).get("cached_tokens") or 0
    return said


def _responses_stream(events: list[_Json]) -> Said:
    """The pieces must add up to the answer at the end."""
    text, thoughts, arguments, free = "", "", dict[int, str](), dict[int, str]()
    last: _Json | None = None
    for event in events:
        match event["type"]:
            case "response.output_text.delta" | "response.refusal.delta":
                text += event["delta"]
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                thoughts += event["delta"]
            case "response.function_call_arguments.delta":
                place = event["output_index"]
                arguments[place] = arguments.get(place, "") + event["delta"]
            case "response.custom_tool_call_input.delta":
                free[event["output_index"]] = free.get(event["output_index"], "") + event["delta"]
            case "response.completed" | "response.incomplete":
                last = event["response"]
            case "response.failed" | "error":
                raise AssertionError(event)
    assert last is not None, "the stream has no end"
    said = _responses_whole(last)
    if last["output"]:
        assert said.text == text
        assert not thoughts or said.thoughts == thoughts
        told: dict[int, Any] = {at: _arguments(piece) for at, piece in arguments.items()}
        told |= {at: {"arguments": piece} for at, piece in free.items()}
        pieces = [told[at] for at in sorted(told)]
        assert not pieces or [one for _, one in said.calls] == pieces
    else:
        said.text, said.thoughts = text, thoughts  # some leave the output out at the end
    return said


_BEDROCK_FINISH = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "filter",
    "content_filtered": "filter",
}


def _bedrock_usage(usage: _Json) -> tuple[int, int]:
    cached = ("cacheReadInputTokens", "cacheWriteInputTokens")
    read = usage["inputTokens"] + sum(usage.get(name) or 0 for name in cached)
    return read, usage["outputTokens"]


def _bedrock_text(block: _Json) -> str:
    cited = (block.get("citationsContent") or {}).get("content") or ()
    return (block.get("text") or "") + "".join(one.get("text") or "" for one in cited)


def _bedrock_thought(block: _Json) -> str:
    shown = (block.get("reasoningContent") or {}).get("reasoningText") or {}
    return shown.get("text") or ""


def _bedrock_whole(body: _Json) -> Said:
    content = body["output"]["message"]["content"]
    uses = [one["toolUse"] for one in content if "toolUse" in one]
    return Said(
        "".join(map(_bedrock_text, content)),
        [(one["name"], one["input"]) for one in uses if one.get("type") != "server_tool_use"],
        _BEDROCK_FINISH.get(body["stopReason"], "stop"),
        _bedrock_usage(body["usage"]),
        "".join(map(_bedrock_thought, content)),
        body["usage"].get("cacheReadInputTokens") or 0,
        [one["toolUseId"] for one in uses if one.get("type") != "server_tool_use"],
    )


def bedrock_frames(frames: list[tuple[str, _Json]]) -> Said:
    """What a stream of Bedrock's says, given as kinds of events and their payloads."""
    said = Said()
    calls: dict[int, list[str]] = {}
    for kind, event in frames:
        match kind:
            case "contentBlockStart":
                use = event["start"].get("toolUse")
                if use and use.get("type") != "server_tool_use":
                    calls[event["contentBlockIndex"]] = [use["name"], ""]
                    said.ids.append(use["toolUseId"])
            case "contentBlockDelta":
                delta = event["delta"]
                said.text += delta.get("text") or ""
                said.thoughts += (delta.get("reasoningContent") or {}).get("text") or ""
                if "toolUse" in delta and event["contentBlockIndex"] in calls:
                    calls[event["contentBlockIndex"]][1] += delta["toolUse"].get("input") or ""
            case "messageStop":
                said.finish = _BEDROCK_FINISH.get(event["stopReason"], "stop")
            case "metadata":
                said.usage = _bedrock_usage(event["usage"])
                said.cached = event["usage"].get("cacheReadInputTokens") or 0
    said.calls = [(name, _arguments(text)) for name, text in calls.values()]
    return said.settled()


_COHERE_FINISH = {
    "MAX_TOKENS": "length",
    "ERROR_LIMIT": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR_TOXIC": "filter",
}


def _cohere_usage(usage: _Json | None) -> tuple[int, int] | None:
    # Its bill counts fewer tokens than went through the model, and tells both.
    tokens = (usage or {}).get("billed_units")
    return (int(tokens["input_tokens"]), int(tokens["output_tokens"])) if tokens else None


def _cohere_whole(body: _Json) -> Said:
    message = body["message"]
    content = message.get("content") or ()
    return Said(
        (message.get("tool_plan") or "")
        + "".join(piece.get("text") or "" for piece in content if piece["type"] == "text"),
        [_chat_called(call) for call in message.get("tool_calls") or ()],
        _COHERE_FINISH.get(body["finish_reason"], "stop"),
        _cohere_usage(body.get("usage")),
        "".join(piece.get("thinking") or "" for piece in content),
        0,
        [call["id"] for call in message.get("tool_calls") or ()],
    )


def _cohere_stream(events: list[_Json]) -> Said:
    said = Said()
    calls: list[list[str]] = []
    for event in events:
        delta = event.get("delta") or {}
        message = delta.get("message") or {}
        match event["type"]:
            case "tool-plan-delta":
                said.text += message["tool_plan"]
            case "content-start" | "content-delta":
                said.text += message["content"].get("text") or ""
                said.thoughts += message["content"].get("thinking") or ""
            case "tool-call-start":
                function = message["tool_calls"]["function"]
                said.ids.append(message["tool_calls"]["id"])
                calls.append([function["name"], function.get("arguments") or ""])
            case "tool-call-delta":
                calls[-1][1] += message["tool_calls"]["function"]["arguments"]
            case "message-end":
                said.finish = _COHERE_FINISH.get(delta["finish_reason"], "stop")
                said.usage = _cohere_usage(delta.get("usage"))
    said.calls = [(name, _arguments(text)) for name, text in calls]
    return said


_WHOLE: dict[str, Callable[[_Json], Said]] = {
    "openai-chat": _chat_whole,
    "anthropic": _anthropic_whole,
    "gemini": _gemini_whole,
    "openai-responses": _responses_whole,
    "bedrock": _bedrock_whole,
    "cohere": _cohere_whole,
}
_STREAMED: dict[str, Callable[[list[_Json]], Said]] = {
    "openai-chat": _chat_stream,
    "anthropic": _anthropic_stream,
    "gemini": _gemini_stream,
    "openai-responses": _responses_stream,
    "cohere": _cohere_stream,
}
