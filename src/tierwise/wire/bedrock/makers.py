"""Who made a model at Bedrock, and what it takes of what Converse has words for, by its names.

docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html (who keeps to a schema),
platform.claude.com, "Migration guide" (what Claude refuses since when)
"""

from __future__ import annotations

import re
from typing import Literal

from tierwise.wire.features import TWO_DRAWS

Maker = Literal["claude", "nova-2", "nova", "openai", "other"]
_NUMBERED = re.compile(r"claude-(?:opus|sonnet|haiku|fable|mythos)-(\d+)(?:-(\d{1,2})\b)?")
_FORMER = re.compile(r"claude-(?:v\d|instant|[123]\b)")
_THOUGHTFUL = "claude-3-7"
_LATEST = (99, 0)
_KEEPS_NO_SCHEMA = re.compile(r"\b(?:amazon|meta|cohere|ai21|writer)\.")


def maker_of(*names: str) -> Maker:
    """Who made a model, by its names: Bedrock's id, and ours where that is an ARN."""
    for name in _telling(names):
        if "claude" in name:
            return "claude"
        if "nova-2" in name:
            return "nova-2"
        if "nova" in name:
            return "nova"
        if "openai" in name or "gpt-" in name:
            return "openai"
    return "other"


def claude_version(*names: str) -> tuple[int, int]:
    """Which Claude it is, such as (4, 5); the latest if its name does not say."""
    for name in _telling(names):
        found = _NUMBERED.search(name)
        if found is not None:
            return int(found[1]), int(found[2] or 0)
        if _FORMER.search(name):
            return (3, 7) if _THOUGHTFUL in name else (3, 0)
    return _LATEST


def lacks_of(*names: str) -> frozenset[str]:
    """The features that Converse has words for and a model does not take."""
    maker = maker_of(*names)
    found: set[str] = set()
    if maker == "claude":
        version = claude_version(*names)
        if version < (3, 7):
            found.update(("effort", "thinking_budget"))
        if version < (4, 5):
            found.add("json_schema")
        if version >= (4, 6):
            found.add("prefill")
        if version >= (4, 7):
            found.update(("temperature", "top_p", "top_k"))
        elif version >= (4, 1):
            found.add(TWO_DRAWS)
        return frozenset(found)
    if maker in ("nova", "other"):
        found.update(("effort", "thinking_budget"))
    if maker == "openai":
        found.add("top_k")
    if maker in ("nova", "nova-2") or any(
        _KEEPS_NO_SCHEMA.search(name) for name in _telling(names)
    ):
        found.add("json_schema")
    return frozenset(found)


def _telling(names: tuple[str, ...]) -> tuple[str, ...]:
    """An id says it all; an ARN may not."""
    return names if names[0].startswith("arn:") else names[:1]
