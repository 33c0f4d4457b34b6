"""How a Gemini request wants to be answered, written: tools, `generationConfig` and the like."""

from __future__ import annotations

from msgspec import Raw

from tierwise.wire.conversation import Conversation, Thinking, ToolChoice
from tierwise.wire.gemini.schema import tidied
from tierwise.wire.openai_chat import given

_LEVELS = {
    "minimal": "MINIMAL",
    "low": "LOW",
    "medium": "MEDIUM",
    "high": "HIGH",
    "xhigh": "XHIGH",
    "max": "XHIGH",
}
_TIERS = {"default": "standard", "flex": "flex", "priority": "priority"}
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}


def write_tools(asked: Conversation, body: dict[str, object]) -> None:
    """Sets `tools` and `toolConfig`."""
    functions: list[dict[str, object]] = []
    for tool in asked.tools:
        function: dict[str, object] = {"name": tool.name}
        if tool.description is not None:
            function["description"] = tool.description
        if given(tool.parameters):
            function["parametersJsonSchema"] = tidied(tool.parameters)
        if asked.dialect == "gemini":
            function.update(tool.hints)
        functions.append(function)
    tools: list[object] = [{"functionDeclarations": functions}] if functions else []
    tools += [tool.raw for tool in asked.foreign_tools if tool.origin == "gemini"]
    if tools:
        body["tools"] = tools
    # In this mode calls satisfy their schemas: ai.google.dev/gemini-api/docs/function-calling
    strict = bool(asked.tools) and all(tool.strict for tool in asked.tools)
    choice = asked.tool_choice or (ToolChoice() if strict else None)
    if choice is None or not functions:
        return  # "Function calling config is set without function_declarations."
    mode = _MODES[choice.mode]
    if mode == "AUTO" and (strict or choice.names):
        mode = "VALIDATED"
    calling: dict[str, object] = {"mode": mode}
    if choice.names:
        calling["allowedFunctionNames"] = choice.names
    body["toolConfig"] = {"functionCallingConfig": calling}


def write_config(asked: Conversation, body: dict[str, object]) -> None:
    """Sets `generationConfig`, `safetySettings` and `serviceTier`."""
    sampling, wanted = asked.sampling, asked.format
    config: dict[str, object] = {
        "temperature": sampling.temperature,
        "topP": sampling.top_p,
        "topK": sampling.top_k,
        "seed": sampling.seed,
        "frequencyPenalty": sampling.frequency_penalty,
        "presencePenalty": sampling.presence_penalty,
        "maxOutputTokens": asked.max_tokens,
        "stopSequences": asked.stop or None,
        "candidateCount": asked.choices if asked.choices > 1 else None,
        "responseLogprobs": True if asked.logprobs else None,
        "logprobs": asked.top_logprobs if asked.logprobs else None,
        "thinkingConfig": _thinking(asked.thinking) if asked.thinking else None,
    }
    if wanted is not None:
        config["responseMimeType"] = "application/json"
        if wanted.kind == "schema" and given(wanted.schema):
            config["responseJsonSchema"] = tidied(wanted.schema)
    config = {name: value for name, value in config.items() if value is not None}
    if config:
        body["generationConfig"] = config
    if _is_list(asked.safety):
        body["safetySettings"] = asked.safety
    tier = _TIERS.get(asked.service_tier or "")
    if tier is not None:
        body["serviceTier"] = tier


def _thinking(thinking: Thinking) -> dict[str, object] | None:
    """Level and budget exclude each other: ai.google.dev/gemini-api/docs/thinking."""
    out: dict[str, object] = {}
    if thinking.budget is not None:
        out["thinkingBudget"] = thinking.budget
    elif thinking.effort == "none":
        out["thinkingBudget"] = 0
    elif thinking.effort in _LEVELS:
        out["thinkingLevel"] = _LEVELS[thinking.effort]
    if thinking.shown is not None:
        out["includeThoughts"] = thinking.shown
    return out or None


def _is_list(safety: Raw) -> bool:
    """Whether they are settings as Google has them."""
    return bytes(safety)[:1] == b"["
