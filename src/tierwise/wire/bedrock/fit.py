"""A request for Converse, in the words of whoever made the model.

Converse passes `additionalModelRequestFields` on as they are, and its cache points, efforts and
thoughts are refused by models that do not know them. `request` writes all of that in one way; here
it is put as the model takes it, or left out where it can only help.

docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html (who caches what),
platform.claude.com/docs/en/build-with-claude/adaptive-thinking (Claude since 4.6, and before),
docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html (Nova 2),
docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-openai.html
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Raw

from tierwise.wire.bedrock.makers import Maker, claude_version, maker_of
from tierwise.wire.bedrock.turns import call_id

_BUDGETS = {"low": 2048, "medium": 8192, "high": 16_384, "xhigh": 32_768, "max": 32_768}
"""Of an effort, where a model is told how many tokens it may think."""
_SMALLEST_BUDGET = 1024
_STRANGE_ID = re.compile(rb'(?<="toolUseId":")[^"]*[^"a-zA-Z0-9_-][^"]*(?=")')
_MARKS = (
    b'"cachePoint"',
    b'"reasoningContent"',
    b'"additionalModelRequestFields"',
    b'"outputConfig"',
)
_Fields = dict[str, Any]
_decode = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.encode


def fitted(body: bytes, *names: str) -> bytes:
    """The body for a model of these names; most need no change."""
    maker = maker_of(*names)
    if maker == "claude" and b'"toolUseId"' in body:
        body = _STRANGE_ID.sub(_plain_id, body)
    sampled = maker == "claude" and b'"topP"' in body
    if not sampled and not any(mark in body for mark in _MARKS):
        return body
    fields: _Fields = dict(_decode(body))
    if sampled:
        fields["inferenceConfig"] = _sampling(_read(fields, "inferenceConfig"))
    if maker not in ("claude", "nova", "nova-2"):
        _without(fields, "system", "cachePoint")
    if maker != "claude":
        _without_in_turns(fields, maker)
    tools = _read(fields, "toolConfig")
    if maker != "claude" and tools:
        _without(tools, "tools", "cachePoint")  # Nova keeps no tools in its cache
        fields["toolConfig"] = tools
    more, output = _read(fields, "additionalModelRequestFields"), _read(fields, "outputConfig")
    effort = output.pop("effort", None)
    thinking = more.pop("thinking", None)
    more.update(_thinking(maker, names, effort, thinking, fields))
    if maker in ("nova", "nova-2") and "top_k" in more:
        more["inferenceConfig"] = {"topK": more.pop("top_k")}
    elif maker == "openai":
        more.pop("top_k", None)
    for name, value in (("additionalModelRequestFields", more), ("outputConfig", output)):
        fields.pop(name, None)
        if value:
            fields[name] = value
    return _encode(fields)


def _sampling(config: _Fields) -> _Fields:
    """Claude refuses `temperature` beside `topP` from 4.1 on; of the two 1 asks for nothing."""
    if {"temperature", "topP"} <= config.keys():
        if config["topP"] == 1:
            del config["topP"]
        elif config["temperature"] == 1:
            del config["temperature"]
    return config


def _thinking(
    maker: Maker, names: tuple[str, ...], effort: str | None, thinking: Any, fields: _Fields
) -> _Fields:
    """How much the model is to think, in its own words."""
    if maker == "claude":
        return _of_claude(names, effort, thinking, fields)
    if effort is None and thinking is not None:
        effort = _effort(thinking)
    if effort is None:
        return {}
    plain = {"xhigh": "high", "max": "high"}.get(effort, effort)
    if maker == "nova-2":
        return {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": plain}}
    return {"reasoning_effort": plain} if maker == "openai" else {}


def _of_claude(
    names: tuple[str, ...], effort: str | None, thinking: Any, fields: _Fields
) -> _Fields:
    version = claude_version(*names)
    if version < (3, 7):
        return {}
    if version < (4, 6):
        budget = _budget(effort, thinking, fields)
        if budget is not None and _in_a_call_without_thoughts(fields):
            return {}
        if thinking is None or thinking.get("type") != "disabled":
            thinking = None if budget is None else {"type": "enabled", "budget_tokens": budget}
        return {} if thinking is None else {"thinking": thinking}
    counted = thinking is not None and thinking.get("type") == "enabled"
    if counted:
        # Since 4.7 it refuses to be told a number.
        counted = version < (4, 7) and not _in_a_call_without_thoughts(fields)
        thinking = thinking if counted else {"type": "adaptive"}
    elif thinking is None and effort is not None:
        thinking = {"type": "adaptive"}
    found = {} if thinking is None else {"thinking": thinking}
    return found if effort is None else {**found, "output_config": {"effort": effort}}


def _budget(effort: str | None, thinking: Any, fields: _Fields) -> int | None:
    """Tokens to think, fewer than those of the whole answer; None for none."""
    wanted = _BUDGETS.get(effort or "")
    if thinking is not None:
        kind = thinking.get("type")
        wanted = _BUDGETS["medium"] if kind == "adaptive" else thinking.get("budget_tokens")
    most = _read(fields, "inferenceConfig").get("maxTokens")
    if wanted is not None and isinstance(most, int) and wanted >= most:
        wanted = most - _SMALLEST_BUDGET // 2
    return wanted if wanted is not None and wanted >= _SMALLEST_BUDGET else None


def _effort(thinking: Any) -> str | None:
    """About the effort that a budget comes to."""
    if thinking.get("type") == "disabled":
        return None
    budget = thinking.get("budget_tokens", _BUDGETS["medium"])
    return next((word for word, most in _BUDGETS.items() if budget <= most), "high")


def _in_a_call_without_thoughts(fields: _Fields) -> bool:
    """Whether calls were made whose thoughts the caller did not keep: with thinking on, Claude
    refuses to go on from them. It thinks once, before the first call since the user spoke."""
    called = False
    for message in reversed(msgspec.json.decode(fields["messages"])):
        content = message["content"]
        if message["role"] == "assistant":
            if any("reasoningContent" in one for one in content):
                return False
            called = called or any("toolUse" in one for one in content)
        elif not any("toolResult" in one for one in content):
            break
    return called


def _without_in_turns(fields: _Fields, maker: Maker) -> None:
    """Takes out thoughts, which only Claude takes back, and cache points where none are known."""
    gone = (
        {"reasoningContent"} if maker in ("nova", "nova-2") else {"reasoningContent", "cachePoint"}
    )
    messages = msgspec.json.decode(fields["messages"], type=list[dict[str, Any]])
    kept = []
    for message in messages:
        content = [one for one in message["content"] if gone.isdisjoint(one)]
        if content:
            kept.append({**message, "content": content})
    fields["messages"] = kept


def _without(fields: _Fields, name: str, kind: str) -> None:
    if name in fields:
        raw = fields[name]
        blocks = msgspec.json.decode(raw) if isinstance(raw, Raw) else raw
        fields[name] = [one for one in blocks if kind not in one]


def _read(fields: _Fields, name: str) -> _Fields:
    value = fields.get(name, Raw(b"{}"))
    found: _Fields = msgspec.json.decode(value) if isinstance(value, Raw) else value
    return found


def _plain_id(match: re.Match[bytes]) -> bytes:
    """Claude's ids have neither dots nor colons."""
    theirs = match[0].decode()
    return call_id(theirs.replace(".", "/").replace(":", "/")).encode()
