"""Does the answer refuse, or say that it does not know?"""

from __future__ import annotations

import re

from msgspec.structs import replace

from tierwise.analysis.conversation import conversation
from tierwise.gates.declining import LANGUAGES
from tierwise.types import Completion, Task, Verdict

_READ_CHARS = 320
"""A refusal comes first; further on, the same words are about something else."""
_SHORT_CHARS = 500
"""A longer answer helps after all, in part or by another way."""
_BARE_CHARS = 20
_READ_QUESTION = 2000

# Judgements. Where the task can be done they agree with recordings: of answers that refuse, 0 of 22
# were acceptable, of those that know nothing 2 of 13. TruthfulQA rewards declining as truthful
# (223 of 247). docs/gates.md tells more.
_DECLARED = 0.05
_SHORT = 0.05
_IGNORANT = 0.2
_LONG = 0.3
_MACHINE = 0.3
_HEDGES = 0.6

_STATES = (
    ("refuses", "refuses", _SHORT),
    ("says that it does not know or has no access", "ignores", _IGNORANT),
    ("speaks of being a machine", "machine", _MACHINE),
    ("is not sure", "doubts", _HEDGES),
)
_QUOTED = re.compile(
    r"[\"“„«][^\"“”„«»]{0,400}[\"”“»]|```.{0,400}?(?:```|\Z)|(?m:^ ?>.*$)", re.DOTALL
)
_WANTS_ONE = re.compile(
    r"\b(?:refus|declin|reject|apolog|turn(?:ing)? down|politely say no|ablehn|absag|absage"
    r"|entschuldig|désol|s'excus|rechaz|disculp|negar|role-?play|pretend)|拒绝|道歉|断る|отказ"
)


class RefusalGate:
    """Finds refusals and hedging where answers begin, in ten languages.

    Words inside quotation marks or code are somebody else's. Where the task itself is about
    refusing, or contains such words, the gate keeps silent. It discriminates where the task can be
    done; where declining is right (unanswerable questions, forbidden ones) it is wrong.
    """

    name = "refusal"

    def judge(self, task: Task, answer: Completion) -> Verdict | None:
        """By how clearly the answer declines; 1 where it does not, None where none is due."""
        if answer.refusal is not None:
            return Verdict(gate=self.name, p=_DECLARED, reason="the provider marks it a refusal")
        text = answer.text[: 2 * _READ_CHARS].strip()
        if not text or answer.tool_calls:
            return None
        found = _found(_plain(text))
        if found is None:
            return Verdict(gate=self.name, p=1.0, reason="neither refuses nor hedges")
        question = conversation(task).question
        read = _folded(question[:_READ_QUESTION] + "\n" + question[-_READ_QUESTION:])
        if _WANTS_ONE.search(read) or _found(read) is not None:
            return None
        what, words, p = found
        if what == "refuses" and len(answer.text) > _SHORT_CHARS:
            return Verdict(gate=self.name, p=_LONG, reason=f"declines at first: {words!r}")
        return Verdict(gate=self.name, p=p, reason=f"{what}: {words!r}")

    def judge_start(self, task: Task, start: Completion) -> Verdict | None:
        """As `judge`, where it declines; what is long may help after all."""
        verdict = self.judge(task, start)
        if verdict is None or verdict.p == 1.0:
            return None
        return replace(verdict, p=max(verdict.p, _LONG))


def _found(text: str) -> tuple[str, str, float] | None:
    """The plainest sign of declining in a folded text: what it is, its words, P(acceptable)."""
    spoken = [one for one in LANGUAGES if any(sign in text for sign in one.signs)]
    for what, state, p in _STATES:
        for language in spoken:
            match = getattr(language, state).search(text)
            if match:
                return what, match[0][:60], p
    return None


def _plain(text: str) -> str:
    """The beginning, without what is quoted in it, unless all of it is."""
    folded = _folded(text)
    bare = _QUOTED.sub(" ", folded)[:_READ_CHARS]
    return bare if len(bare.strip()) > _BARE_CHARS else folded[:_READ_CHARS]


def _folded(text: str) -> str:
    return text.replace("’", "'").lower()
