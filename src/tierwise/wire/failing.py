"""Results of tools that have failed, for dialects that have no field to say so.

Anthropic's `is_error` and the `error` of Gemini's responses are all that some clients say: "no such
file" may be what a search was to find. What says so itself stays as it is.
"""

from __future__ import annotations

import re

from tierwise.wire.conversation import Document, Part, Text, ToolResult

_PREFIX, _ALONE = "Error: ", "Error"
_LOOKED_AT = 400
_SAYS_SO = re.compile(r"error|fail|exception|traceback|denied|invalid", re.IGNORECASE)


def in_words(result: ToolResult) -> tuple[Part, ...]:
    """The parts of a result; of one that has failed, such that say so."""
    parts = result.parts
    if not result.failed:
        return parts
    for place, part in enumerate(parts):
        if isinstance(part, Text | Document) and part.text:
            if _SAYS_SO.search(part.text, 0, _LOOKED_AT):
                return parts
            if isinstance(part, Text):
                told = Text(text=_PREFIX + part.text, cache=part.cache)
                return (*parts[:place], told, *parts[place + 1 :])
            break
    return (Text(text=_ALONE), *parts)
