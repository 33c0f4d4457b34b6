"""Was a request answered, and is the answer what its model says, whole and once?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from tierwise.chaos.continued import Part, continuations, could_say
from tierwise.chaos.seen import Seen
from tierwise.fleet import answer_text

DONE = b"[DONE]"
_REASONS = frozenset({"all_paths_failed", "rate_limit_exceeded"})


class Judged(Struct, frozen=True, kw_only=True):
    """What is to be said of one request.

    `failed` is why there is no answer, None if there is one; `wrong` is all that is the matter with
    it. `clear` says of a failure that the client was told the reasons of each path. `provider` is
    who answered, the last of them where a stream was continued.
    """

    failed: str | None = None
    wrong: tuple[str, ...] = ()
    clear: bool = False
    model: str | None = None
    provider: str | None = None
    continued: bool = False


def judge(seen: Seen, expected: Callable[[str], str]) -> Judged:
    """Judges what a client saw.

    Args:
        expected: the text that a model says to this task; raises ValueError for an unknown one.
    """
    if seen.status != 200:
        return Judged(failed=_why(seen), clear=_is_clear(seen.status, seen.body))
    events = _events(seen.body) if seen.stream else []
    error = next((event for event in events if b'"error"' in event and _is_error(event)), None)
    if error is not None:
        return Judged(failed=f"an error event: {_short(error)}", clear=_is_clear(503, error))
    if seen.broke is not None:
        return Judged(failed=f"broke off: {seen.broke}")
    model = seen.told("x-tierwise-model")
    deployment = seen.told("x-tierwise-deployment")
    if model is None or deployment is None:
        return Judged(wrong=("nobody says which model answered",))
    more = continuations(seen.body) if seen.stream else []
    parts = [Part(deployment), *more]
    try:
        text, wrong = _read_stream(events) if seen.stream else _read_whole(seen.body)
        if not (could_say(text, parts, expected) if more else text == expected(model)):
            who = " and ".join(part.model for part in parts)
            wrong.append(f"the text is not {who}'s: {text[:80]!r}")
    except (ValueError, msgspec.MsgspecError, KeyError, IndexError, TypeError) as error_found:
        wrong = [f"it cannot be read: {type(error_found).__name__}: {error_found}"]
    provider = parts[-1].deployment.partition("/")[0]
    return Judged(wrong=tuple(wrong), model=model, provider=provider, continued=bool(more))


def _why(seen: Seen) -> str:
    if seen.status == 0:
        return f"no answer: {seen.broke}"
    return f"{seen.status}: {_short(seen.body)}"


def _short(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body)["error"]["message"])[:200]
    except (msgspec.MsgspecError, KeyError, TypeError):
        return body[:200].decode("utf-8", "replace")


def _is_clear(status: int, body: bytes) -> bool:
    """Whether an error names its reasons, with the status for it."""
    try:
        error = msgspec.json.decode(body)["error"]
        return status in (503, 429) and error["code"] in _REASONS and ": " in error["message"]
    except (msgspec.MsgspecError, KeyError, TypeError):
        return False


def _is_error(event: bytes) -> bool:
    try:
        return bool(msgspec.json.decode(event).get("error"))
    except (msgspec.MsgspecError, AttributeError):
        return False


def _events(body: bytes) -> list[bytes]:
    """The data of each event, complete ones only."""
    found = []
    for block in body.replace(b"\r\n", b"\n").split(b"\n\n")[:-1]:
        lines = [line[5:].strip() for line in block.split(b"\n") if line.startswith(b"data:")]
        if lines:
            found.append(b"\n".join(lines))
    return found


def _read_whole(body: bytes) -> tuple[str, list[str]]:
    answer = msgspec.json.decode(body)
    (choice,) = answer["choices"]
    wrong = []
    if choice["message"].get("role") != "assistant":
        wrong.append("no role")
    if not choice.get("finish_reason"):
        wrong.append("no finish_reason")
    if not answer.get("usage"):
        wrong.append("no usage")
    return answer_text(choice["message"]), wrong


def _read_stream(events: list[bytes]) -> tuple[str, list[str]]:
    """The text of a stream, and what is there too often or not at all."""
    chunks = [msgspec.json.decode(event) for event in events if event != DONE]
    deltas = [choice for chunk in chunks for choice in chunk.get("choices") or ()]
    counts = {
        "role": sum(1 for choice in deltas if (choice.get("delta") or {}).get("role")),
        "finish_reason": sum(1 for choice in deltas if choice.get("finish_reason")),
        "usage": sum(1 for chunk in chunks if chunk.get("usage")),
        "[DONE]": events.count(DONE),
        "id": len({chunk.get("id") for chunk in chunks}),
    }
    wrong = [f"{count} times {name}" for name, count in counts.items() if count != 1]
    if events and events[-1] != DONE:
        wrong.append("[DONE] is not the last")
    return answer_text(_joined([choice.get("delta") or {} for choice in deltas])), wrong


def _joined(deltas: list[Mapping[str, Any]]) -> dict[str, Any]:
    """The message that deltas add up to."""
    message: dict[str, Any] = {"content": "".join(d.get("content") or "" for d in deltas)}
    calls: dict[int, dict[str, str]] = {}
    for part in (part for delta in deltas for part in delta.get("tool_calls") or ()):
        call = calls.setdefault(part["index"], {"name": "", "arguments": ""})
        for field in call:
            call[field] += (part.get("function") or {}).get(field) or ""
    if calls:
        message["tool_calls"] = [{"function": call} for _, call in sorted(calls.items())]
    return message
