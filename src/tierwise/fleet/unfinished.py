"""Answers that were cut off: which requests ask to go on with one, and what is said then.

Two ways are understood: prefill, a last message by the assistant that is marked as unfinished (by
`prefix`, or by the request's `continue_final_message`), and a note by the user after it that asks
to continue.
"""

from __future__ import annotations

import re

from msgspec import Struct
from msgspec.structs import replace

from tierwise.fleet.chat import ChatRequest
from tierwise.fleet.source import FleetModel, Said, count_tokens

_NOTE = re.compile(r"\b(?:continue|go on|carry on)\b", re.IGNORECASE)
_WORD = re.compile(r"\S+\s*")


class Unfinished(Struct, frozen=True):
    """The prompt that was being answered, the answer as far as it went, and the note after it."""

    prompt: str
    said: str
    note: str = ""


def unfinished(request: ChatRequest) -> Unfinished | None:
    """What a request asks to go on with; None if it asks for a new answer."""
    *before, last = request.messages
    note = ""
    if last.role == "assistant":
        if not (last.prefix or request.continue_final_message):
            return None
    elif last.role == "user" and _NOTE.search(last.text) and before:
        note = last.text
        *before, last = before
    if last.role != "assistant" or not last.text or not before or before[-1].role != "user":
        return None
    return Unfinished(before[-1].text, last.text, note)


def rest_of(text: str, said: str, repeated: int = 0) -> str:
    """What a model adds to what was `said` whose own answer is `text`.

    If it would have begun like that it goes on to the letter, perhaps with the last `repeated`
    words once more. If not it gives its own answer, from the beginning.
    """
    if not text.startswith(said):
        return text
    words = _WORD.findall(said)[-repeated:] if repeated else []
    return "".join(words) + text[len(said) :]


def gone_on(whole: Said, cut_off: Unfinished, repeated: int, model: FleetModel) -> Said:
    """The rest of an answer as an answer of its own, with its own tokens and cost."""
    rest = rest_of(whole.text, cut_off.said, repeated)
    out = max(1, round(whole.output_tokens * len(rest) / max(1, len(whole.text))))
    sent = whole.input_tokens + count_tokens(cut_off.said + cut_off.note)
    cost = whole.cost_usd
    if cost is not None:
        cost = (sent * model.prices.input + out * model.prices.output) / 1e6
    return replace(whole, text=rest, input_tokens=sent, output_tokens=out, cost_usd=cost)
