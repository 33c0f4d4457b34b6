"""How much to think, for models that know budgets only and refuse levels.

The budgets are those that Google itself takes for OpenAI's efforts:
ai.google.dev/gemini-api/docs/openai#thinking
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from tierwise.wire.unreadable import UNREADABLE

_BUDGETS = {"MINIMAL": 1024, "LOW": 1024, "MEDIUM": 8192, "HIGH": 24_576, "XHIGH": 24_576}
_decode = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_any = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def with_budget(body: bytes) -> bytes:
    """A request's body with a budget in place of a level; one that is wrong stays as it is."""
    try:
        fields = _decode(body)
        for name in ("generationConfig", "generation_config"):
            if name not in fields:
                continue
            config = _decode_any(fields[name])
            for inner in ("thinkingConfig", "thinking_config"):
                if isinstance(config, dict) and isinstance(config.get(inner), dict):
                    _replace(config[inner])
                    fields[name] = Raw(_encode(config))
    except UNREADABLE:
        return body
    return _encode(fields)


def _replace(thinking: dict[str, object]) -> None:
    level = thinking.pop("thinkingLevel", None) or thinking.pop("thinking_level", None)
    budget = _BUDGETS.get(level.upper()) if isinstance(level, str) else None
    if budget is not None and not {"thinkingBudget", "thinking_budget"} & thinking.keys():
        thinking["thinkingBudget"] = budget
