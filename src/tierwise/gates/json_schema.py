"""Does the answer satisfy the JSON that the request declared?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tierwise.errors import InvalidRequest
from tierwise.types import Completion, Task, Verdict

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator

_OPENINGS = frozenset('{["-0123456789tfn')
"""What a JSON value can begin with."""
_KEPT_VALIDATORS = 256


class JsonSchemaGate:
    """Checks `response_format`: valid JSON, and valid by the schema if one was given."""

    name = "json_schema"

    def __init__(self) -> None:
        self._validators: dict[bytes, Draft202012Validator] = {}

    def prepare(self, task: Task) -> None:
        """Refuses a schema that cannot be used.

        Raises:
            InvalidRequest: the schema itself is invalid.
        """
        if task.json_schema is not None:
            self._validator(task.json_schema)

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
        except (msgspec.DecodeError, UnicodeError) as error:
            return Verdict(gate=self.name, p=0.0, reason=f"not valid JSON: {error}")
        if task.json_schema is None:
            return Verdict(gate=self.name, p=1.0, reason="valid JSON")
        wrong = next(self._validator(task.json_schema).iter_errors(value), None)
        if wrong is None:
            return Verdict(gate=self.name, p=1.0, reason="satisfies the schema")
        place = "/".join(str(step) for step in wrong.instance_path) or "the top level"
        reason = f"breaks the schema at {place}: {wrong.message[:160]}"
        return Verdict(gate=self.name, p=0.0, reason=reason)

    def judge_start(self, task: Task, start: Completion) -> Verdict | None:
        """0 if what was declared to be JSON does not begin like it."""
        if (task.json_schema is None and not task.json_mode) or start.refusal is not None:
            return None
        said = start.text.lstrip()
        if not said or said[0] in _OPENINGS:
            return None
        return Verdict(gate=self.name, p=0.0, reason=f"not valid JSON: begins with {said[:20]!r}")

    def _validator(self, schema: bytes) -> Draft202012Validator:
        found = self._validators.get(schema)
        if found is not None:
            return found
        # Imported with the first schema: a gateway that sees none does not pay for it.
        import jsonschema_rs

        try:
            validator = jsonschema_rs.Draft202012Validator(
                msgspec.json.decode(schema), retriever=_refuse
            )
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
            raise InvalidRequest(
                f"`response_format.json_schema.schema` is not a valid JSON Schema: {error}",
                param="response_format.json_schema.schema",
            ) from None
        if len(self._validators) >= _KEPT_VALIDATORS:
            self._validators.pop(next(iter(self._validators)))
        self._validators[schema] = validator
        return validator


def _refuse(uri: str) -> Any:
    """A schema comes from a caller, who must not make the gateway fetch what it points to."""
    raise ValueError(f"{uri} lies outside the schema; put it under `$defs`")
