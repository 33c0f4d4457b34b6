"""Does the answer satisfy the JSON that the request declared?"""

from __future__ import annotations

import msgspec

from tierwise.gates.schemas import Schemas, place_of_answers, where
from tierwise.types import Completion, Task, Verdict

_OPENINGS = frozenset('{["-0123456789tfn')
"""What a JSON value can begin with."""


class JsonSchemaGate:
    """Checks `response_format`: valid JSON, and valid by the schema if one was given."""

    name = "json_schema"

    def __init__(self) -> None:
        self._schemas = Schemas()

    def prepare(self, task: Task) -> None:
        """Refuses a schema that cannot be used.

        Raises:
            InvalidRequest: the schema itself is invalid.
        """
        if task.json_schema is not None:
            self._schemas.validator(task.json_schema, param=place_of_answers(task))

    def judge(self, task: Task, answer: Completion) -> Verdict | None:
        """1 if the answer is the declared JSON, 0 if it is not, None if none was declared.

        Raises:
            InvalidRequest: the schema itself is invalid.
        """
        if (task.json_schema is None and not task.json_mode) or answer.tool_calls:
            return None
        if answer.refusal is not None:
            return Verdict(gate=self.name, p=1.0, reason="a refusal needs no JSON")
        try:
            value = msgspec.json.decode(answer.text)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            return Verdict(gate=self.name, p=0.0, reason=f"not valid JSON: {error}")
        if task.json_schema is None:
            return Verdict(gate=self.name, p=1.0, reason="valid JSON")
        schema = self._schemas.validator(task.json_schema, param=place_of_answers(task))
        wrong = next(schema.iter_errors(value), None)
        if wrong is None:
            return Verdict(gate=self.name, p=1.0, reason="satisfies the schema")
        return Verdict(gate=self.name, p=0.0, reason=f"breaks the schema {where(wrong)}")

    def judge_start(self, task: Task, start: Completion) -> Verdict | None:
        """0 if what was declared to be JSON does not begin like it."""
        if (task.json_schema is None and not task.json_mode) or start.refusal is not None:
            return None
        said = start.text.lstrip()
        if not said or said[0] in _OPENINGS:
            return None
        return Verdict(gate=self.name, p=0.0, reason=f"not valid JSON: begins with {said[:20]!r}")
