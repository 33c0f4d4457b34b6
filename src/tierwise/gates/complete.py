"""Is there a whole answer at all?"""

from __future__ import annotations

from tierwise.types import Completion, Task, Verdict


class CompleteGate:
    """Rejects empty answers and answers that were cut off."""

    name = "complete"

    def judge(self, task: Task, answer: Completion) -> Verdict:
        """0 for an empty, filtered or truncated answer, 1 for a whole one."""
        if answer.tool_calls:
            return Verdict(gate=self.name, p=1.0, reason="calls a tool")
        if answer.finish_reason == "content_filter":
            return Verdict(gate=self.name, p=0.0, reason="stopped by the provider's content filter")
        if answer.refusal is None and not answer.text.strip():
            return Verdict(gate=self.name, p=0.0, reason="the answer is empty")
        # The caller's own limit cuts every model's answer, so a larger one would not help.
        if answer.finish_reason == "length" and task.max_output_tokens is None:
            return Verdict(gate=self.name, p=0.0, reason="the answer was cut off at a length limit")
        return Verdict(gate=self.name, p=1.0, reason="the answer is whole")
