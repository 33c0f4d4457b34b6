"""Why answers end, in the words of Chat Completions' providers."""

from __future__ import annotations

from collections.abc import Mapping

from tierwise.wire.spoken import Finish

_READ: Mapping[str, Finish] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "filter",
    # Mistral: the window is full.
    "model_length": "length",
    "max_tokens": "length",
    # DeepSeek ran out of room in the middle of the answer.
    "insufficient_system_resource": "length",
    "stop_sequence": "stop_sequence",
    "refusal": "refusal",
}
_WRITTEN: Mapping[Finish, str] = {
    "stop": "stop",
    "stop_sequence": "stop",
    "pause": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "filter": "content_filter",
}


def read_finish(reported: str, *, called: bool, refused: bool) -> Finish:
    """Why an answer ended.

    Args:
        reported: the provider's word. There are more than OpenAI's about; unknown ones, such as
            `eos`, say that the model was done.
        called: whether tools were called. Some say `stop` then.
        refused: whether the answer is a refusal, which OpenAI ends with `stop`.
    """
    finish = _READ.get(reported, "stop")
    if finish == "stop":
        return "tool_calls" if called else "refusal" if refused else "stop"
    return finish


def write_finish(finish: Finish | None, *, refused: bool, functions: bool = False) -> str:
    """OpenAI's word for it.

    Args:
        finish: why the answer ended; None where nobody said.
        refused: whether the words of a refusal are there; without, an answer was taken away.
        functions: whether the client knows functions only, not tools.
    """
    if finish is None:
        return "stop"
    if finish == "refusal":
        return "stop" if refused else "content_filter"
    if finish == "tool_calls" and functions:
        return "function_call"
    return _WRITTEN[finish]
