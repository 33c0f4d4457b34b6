"""Why answers end, in Google's words and in ours.

ai.google.dev/api/generate-content#FinishReason; a call of a function ends with STOP as well.
"""

from __future__ import annotations

from tierwise.wire.spoken import Finish

_READ: dict[str, Finish] = {
    "STOP": "stop",
    "FINISH_REASON_UNSPECIFIED": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "pause",
}
_TAKEN_AWAY = frozenset(
    {
        "SAFETY",
        "RECITATION",
        "LANGUAGE",
        "OTHER",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "MALFORMED_FUNCTION_CALL",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_OTHER",
        "NO_IMAGE",
        "IMAGE_RECITATION",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
        "MALFORMED_RESPONSE",
        "MODEL_ARMOR",
    }
)
"""Reasons with which an answer ends that is not there, or not all of it."""
_WRITTEN: dict[Finish, str] = {
    "stop": "STOP",
    "tool_calls": "STOP",
    "stop_sequence": "STOP",
    "length": "MAX_TOKENS",
    "refusal": "SAFETY",
    "filter": "SAFETY",
    # Nothing is wrong with it, as OTHER would say.
    "pause": "STOP",
}


def read_finish(reason: str, *, calls: bool) -> Finish:
    """Why an answer ended; `calls` says whether it calls functions."""
    found = _READ.get(reason, "filter")
    return "tool_calls" if found == "stop" and calls else found


def write_finish(finish: Finish, reported: str | None) -> str:
    """Google's word for it: the one it `reported` itself, if it did."""
    if finish == "filter" and reported in _TAKEN_AWAY:
        return reported or ""
    return _WRITTEN[finish]
