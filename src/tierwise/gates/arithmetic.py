"""Do the equations hold that an answer states?"""

from __future__ import annotations

from tierwise.gates.equations import Equation, equations
from tierwise.types import Completion, Task, Verdict

_READ_CHARS = 8000
"""From the start of an answer and again from its end."""

# Of the recorded answers of ZeroEval and RouteLLM with a wrong equation, 72 of 704 were acceptable.
_WRONG = 0.1


class ArithmeticGate:
    """Recomputes what an answer computes: `12 * 3 = 36`, `$4.50 × 3 = $13.5`, `5% of 80 = 4`.

    Of all gates on an answer's text it discriminates best where there is arithmetic.
    """

    name = "arithmetic"

    def judge(self, task: Task, answer: Completion) -> Verdict | None:  # noqa: ARG002
        """1 if all equations hold, hardly anything if one does not; None without any."""
        text = answer.text
        if "=" not in text and "≈" not in text:
            return None
        if len(text) > 2 * _READ_CHARS:
            text = f"{text[:_READ_CHARS]}\n{text[-_READ_CHARS:]}"
        checked = 0
        first: Equation | None = None
        for equation in equations(text):
            checked += 1
            if not equation.holds:
                first = first or equation
        if not checked:
            return None
        if first is None:
            return Verdict(gate=self.name, p=1.0, reason=f"{_count(checked)} recomputed, all right")
        reason = f"{first.left} = {first.right} is wrong: it comes to {first.comes_to:.10g}"
        return Verdict(gate=self.name, p=_WRONG, reason=reason[:200])


def _count(number: int) -> str:
    return "1 equation" if number == 1 else f"{number} equations"
