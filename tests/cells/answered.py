"""What each provider's dialect answers, whole, for everything that an answer can hold, as data.

Where a dialect has no such thing there is no answer of it.
"""

from __future__ import annotations

from typing import Any

Body = dict[str, Any]
AT = '{"at":"x"}'
LINK, TITLE = "https://example.org/a", "A"
TEXT, THOUGHT, NO = "Paris.", "Hm.", "I cannot."
TOKEN = {"token": "Paris.", "logprob": -0.25, "bytes": [80], "top_logprobs": []}


def _chat(finish: str = "stop", usage: Body | None = None, **message: Any) -> Body:
    choice: Body = {"index": 0, "finish_reason": finish,
                    "message": {"role": "assistant", "content": None, **message}}  # fmt: skip
    if "logprobs" in message:
        choice["logprobs"] = choice["message"].pop("logprobs")
    counts = usage or {"prompt_tokens": 20, "completion_tokens": 7, "total_tokens": 27}
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [choice], "usage": counts}  # fmt: skip


_CHAT_CALLS = [{"id": f"call_{n}", "type": "function", "function": {"name": n, "arguments": AT}}
               for n in ("look", "see")]  # fmt: skip
_CHAT: dict[str, Body] = {
    "text": _chat(content=TEXT),
    "thought": _chat(content=TEXT, reasoning_content=THOUGHT),
    "calls": _chat("tool_calls", tool_calls=_CHAT_CALLS),
    "cited": _chat(content=TEXT, annotations=[{"type": "url_citation", "url_citation": {
        "url": LINK, "title": TITLE, "start_index": 0, "end_index": 6}}]),
    "refused": _chat(refusal=NO),
    "logprobs": _chat(content=TEXT, logprobs={"content": [TOKEN], "refusal": None}),
    "length": _chat("length", content=TEXT),
    "filtered": _chat("content_filter", content=""),
    "cached": _chat(content=TEXT, usage={
        "prompt_tokens": 20, "completion_tokens": 7, "total_tokens": 27,
        "prompt_tokens_details": {"cached_tokens": 15},
        "completion_tokens_details": {"reasoning_tokens": 4}}),
}  # fmt: skip


def _responses(*output: Body, usage: Body | None = None, **fields: Any) -> Body:
    counts = {"input_tokens": 20, "output_tokens": 7, "total_tokens": 27,
              "input_tokens_details": {"cached_tokens": 0},
              "output_tokens_details": {"reasoning_tokens": 0}}  # fmt: skip
    return {"id": "resp_1", "object": "response", "created_at": 1, "status": "completed",
            "model": "m", "output": list(output), "usage": {**counts, **(usage or {})},
            **fields}  # fmt: skip


def _said(*content: Body, **fields: Any) -> Body:
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
            "content": list(content), **fields}  # fmt: skip


def _output(text: str = TEXT, **fields: Any) -> Body:
    return {"type": "output_text", "text": text, "annotations": [], **fields}


_CUT: Body = {"status": "incomplete"}
_RESPONSES: dict[str, Body] = {
    "text": _responses(_said(_output())),
    "thought": _responses({"type": "reasoning", "id": "rs_1", "encrypted_content": "secret",
                           "summary": [{"type": "summary_text", "text": THOUGHT}]},
                          _said(_output())),
    "calls": _responses(*({"type": "function_call", "id": f"fc_{n}", "call_id": f"call_{n}",
                           "name": n, "arguments": AT, "status": "completed"}
                          for n in ("look", "see"))),
    "cited": _responses(_said(_output(annotations=[
        {"type": "url_citation", "url": LINK, "title": TITLE, "start_index": 0, "end_index": 6}]))),
    "refused": _responses(_said({"type": "refusal", "refusal": NO})),
    "logprobs": _responses(_said(_output(logprobs=[TOKEN]))),
    "length": _responses(_said(_output()), **_CUT,
                         incomplete_details={"reason": "max_output_tokens"}),
    "filtered": _responses(**_CUT, incomplete_details={"reason": "content_filter"}),
    "cached": _responses(_said(_output()), usage={
        "input_tokens_details": {"cached_tokens": 15},
        "output_tokens_details": {"reasoning_tokens": 4}}),
}  # fmt: skip


def _anthropic(*content: Body, stop: str = "end_turn", usage: Body | None = None) -> Body:
    counts = usage or {"input_tokens": 20, "output_tokens": 7}
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": "m",
            "content": list(content), "stop_reason": stop, "usage": counts,
            "stop_sequence": "END" if stop == "stop_sequence" else None}  # fmt: skip


_TEXT = {"type": "text", "text": TEXT}
_ANTHROPIC: dict[str, Body] = {
    "text": _anthropic(_TEXT),
    "thought": _anthropic({"type": "thinking", "thinking": THOUGHT, "signature": "signed"}, _TEXT),
    "calls": _anthropic(*({"type": "tool_use", "id": f"call_{n}", "name": n, "input": {"at": "x"}}
                          for n in ("look", "see")), stop="tool_use"),
    "cited": _anthropic({**_TEXT, "citations": [
        {"type": "web_search_result_location", "url": LINK, "title": TITLE, "cited_text": "Paris",
         "encrypted_index": "e"}]}),
    "refused": _anthropic({"type": "text", "text": NO}, stop="refusal"),
    "length": _anthropic(_TEXT, stop="max_tokens"),
    "stopped": _anthropic(_TEXT, stop="stop_sequence"),
    "cached": _anthropic(_TEXT, usage={
        "input_tokens": 5, "cache_read_input_tokens": 15, "cache_creation_input_tokens": 0,
        "output_tokens": 7}),
}  # fmt: skip


def _gemini(*parts: Body, finish: str = "STOP", usage: Body | None = None, **fields: Any) -> Body:
    counts = {"promptTokenCount": 20, "candidatesTokenCount": 7, "totalTokenCount": 27}
    candidate: Body = {"index": 0, "finishReason": finish, **fields,
                       "content": {"role": "model", "parts": list(parts)}}  # fmt: skip
    return {"candidates": [candidate], "usageMetadata": {**counts, **(usage or {})},
            "modelVersion": "m", "responseId": "r1"}  # fmt: skip


_GEMINI: dict[str, Body] = {
    "text": _gemini({"text": TEXT}),
    "thought": _gemini({"text": THOUGHT, "thought": True},
                       {"text": TEXT, "thoughtSignature": "c2ln"}),
    "calls": _gemini(*({"functionCall": {"id": f"call_{n}", "name": n, "args": {"at": "x"}}}
                       for n in ("look", "see"))),
    "cited": _gemini({"text": TEXT}, groundingMetadata={
        "groundingChunks": [{"web": {"uri": LINK, "title": TITLE}}],
        "groundingSupports": [{"segment": {"startIndex": 0, "endIndex": 6, "text": TEXT},
                               "groundingChunkIndices": [0]}]}),
    "logprobs": _gemini({"text": TEXT}, logprobsResult={
        "chosenCandidates": [{"token": TEXT, "tokenId": 7, "logProbability": -0.25}],
        "topCandidates": [{"candidates": []}]}),
    "length": _gemini({"text": TEXT}, finish="MAX_TOKENS"),
    "filtered": _gemini(finish="SAFETY"),
    "cached": _gemini({"text": TEXT}, usage={
        "cachedContentTokenCount": 15, "candidatesTokenCount": 3, "thoughtsTokenCount": 4}),
}  # fmt: skip


def _bedrock(*content: Body, stop: str = "end_turn", usage: Body | None = None) -> Body:
    counts = usage or {"inputTokens": 20, "outputTokens": 7, "totalTokens": 27}
    return {"output": {"message": {"role": "assistant", "content": list(content)}},
            "stopReason": stop, "usage": counts, "metrics": {"latencyMs": 1}}  # fmt: skip


_BEDROCK: dict[str, Body] = {
    "text": _bedrock({"text": TEXT}),
    "thought": _bedrock({"reasoningContent": {"reasoningText": {
        "text": THOUGHT, "signature": "signed"}}}, {"text": TEXT}),
    "calls": _bedrock(*({"toolUse": {"toolUseId": f"call_{n}", "name": n, "input": {"at": "x"}}}
                        for n in ("look", "see")), stop="tool_use"),
    "length": _bedrock({"text": TEXT}, stop="max_tokens"),
    "stopped": _bedrock({"text": TEXT}, stop="stop_sequence"),
    "filtered": _bedrock({"text": ""}, stop="content_filtered"),
    "cached": _bedrock({"text": TEXT}, usage={
        "inputTokens": 5, "outputTokens": 7, "totalTokens": 27, "cacheReadInputTokens": 15,
        "cacheWriteInputTokens": 0}),
}  # fmt: skip


def _cohere(finish: str = "COMPLETE", **message: Any) -> Body:
    tokens = {"input_tokens": 20, "output_tokens": 7}
    return {"id": "c1", "finish_reason": finish,
            "message": {"role": "assistant", **message}, "usage": {"tokens": tokens}}  # fmt: skip


_COHERE: dict[str, Body] = {
    "text": _cohere(content=[_TEXT]),
    "thought": _cohere(content=[{"type": "thinking", "thinking": THOUGHT}, _TEXT]),
    "calls": _cohere("TOOL_CALL", tool_calls=_CHAT_CALLS),
    "length": _cohere("MAX_TOKENS", content=[_TEXT]),
    "stopped": _cohere("STOP_SEQUENCE", content=[_TEXT]),
}
ANSWERS: dict[str, dict[str, Body]] = {
    "openai_compatible": _CHAT,
    "openai_responses": _RESPONSES,
    "anthropic": _ANTHROPIC,
    "gemini": _GEMINI,
    "bedrock": _BEDROCK,
    "cohere": _COHERE,
}
HELD = tuple(dict.fromkeys(name for answers in ANSWERS.values() for name in answers))
"""Everything that an answer can hold."""
