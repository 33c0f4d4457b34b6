"""Does another model, or the same one asked again, come to the same answer?

Models that err seldom err alike (self-consistency, arXiv 2203.11171; agreement of models as a
deferral rule, arXiv 2407.02348). Closed answers are compared exactly, after each text's final
answer is read; open ones by how alike they are, which says far less.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from math import sqrt

from tierwise.gates.closed_answer import asked, extract, same
from tierwise.gates.combine import BASE
from tierwise.gates.probe import Question, Reply, Who, question_of, speaks_for_itself
from tierwise.gates.worth import Power
from tierwise.types import Completion, Task, Verdict

Embed = Callable[[str], Sequence[float]]
"""A text's vector; alike texts have vectors of a large cosine."""

AGREED = 0.85
DIFFERED = 0.25
"""P(right) of a small model's closed answer when a second small model agrees, and when not.

Read off 7,990 recorded answers to MMLU, MedMCQA, TriviaQA, TruthfulQA, GSM8K, MATH, CRUXEval, ARC
and Winogrande (0.85 and 0.23). Calibration replaces them where there are labels.
"""
UNLIKE, ALIKE = 0.55, 0.75
"""The same of open answers that share nothing, and of equal ones: on recorded answers likeness
hardly told right from wrong (AUROC 0.49 to 0.53), so it moves the estimate only a little."""
CLOSED = Power.measured(AGREED, DIFFERED, BASE)
OPEN = Power.measured(ALIKE, UNLIKE, BASE)
"""How well agreement tells, by the figures above."""
SAMPLING_TEMPERATURE = 0.8
"""For a second sample of the same model; at 0 it would only repeat itself."""
_WORD = re.compile(r"\w+")


class AgreementProbe:
    """Asks the task again, of `who`, `times` over, and counts who agrees with the answer.

    Args:
        who: "other" for a second cheap model, "same" for second samples.
        times: how many further answers.
        embed: how to compare open answers; without it they are compared by shared words.
    """

    name = "agreement"

    def __init__(self, who: Who = "other", times: int = 1, embed: Embed | None = None) -> None:
        self._question = Question(
            who=who, temperature=SAMPLING_TEMPERATURE if who == "same" else None
        )
        self._times = times
        self._embed = embed

    def ask(self, task: Task, answer: Completion) -> tuple[Question, ...]:
        """The task itself, once more or several times over."""
        return (self._question,) * self._times if speaks_for_itself(task, answer) else ()

    def power(self, task: Task, answer: Completion) -> Power:
        """As measured; of an open answer next to nothing."""
        closed = extract(asked(question_of(task)), answer.text) is not None
        return CLOSED if closed else OPEN

    def conclude(
        self, task: Task, answer: Completion, replies: Sequence[Reply | None]
    ) -> Verdict | None:
        """The mean over the replies of what each one's agreement or difference says."""
        others = [reply.text for reply in replies if reply is not None and reply.text.strip()]
        if not others:
            return None
        wanted = asked(question_of(task))
        own = extract(wanted, answer.text)
        theirs = [extract(wanted, text) for text in others]
        closed = [one for one in theirs if one is not None]
        if own is None or not closed:
            return self._open(answer.text, others)
        agreeing = sum(same(own, one) for one in closed)
        share = agreeing / len(closed)
        return Verdict(
            gate=self.name,
            p=DIFFERED + share * (AGREED - DIFFERED),
            reason=_words(agreeing, len(closed), own.value),
        )

    def _open(self, own: str, others: Sequence[str]) -> Verdict:
        likeness = sum(self._likeness(own, text) for text in others) / len(others)
        return Verdict(
            gate=self.name,
            p=UNLIKE + likeness * (ALIKE - UNLIKE),
            reason=f"another answer is {likeness:.0%} alike",
        )

    def _likeness(self, one: str, other: str) -> float:
        """In [0, 1]: the cosine of the texts' vectors, or the share of words in common."""
        if self._embed is None:
            return shared_words(one, other)
        return max(0.0, min(1.0, _cosine(self._embed(one), self._embed(other))))


def shared_words(one: str, other: str) -> float:
    """The Dice coefficient of the two sets of words: 1 for the same words, 0 for none in common."""
    first, second = set(_WORD.findall(one.lower())), set(_WORD.findall(other.lower()))
    return 2 * len(first & second) / (len(first) + len(second)) if first or second else 1.0


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    product = sum(float(a) * float(b) for a, b in zip(one, other, strict=True))
    size = sqrt(sum(float(a) ** 2 for a in one) * sum(float(b) ** 2 for b in other))
    return product / size if size else 0.0


def _words(agreeing: int, asked_: int, value: str) -> str:
    final = value if len(value) <= 40 else f"{value[:40]}..."
    if asked_ == 1:
        return f"another answer {'also says' if agreeing else 'does not say'} {final!r}"
    return f"{agreeing} of {asked_} other answers say {final!r}"
