"""JSON Schemas of callers, compiled once each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tierwise.errors import InvalidRequest
from tierwise.types import Task

if TYPE_CHECKING:
    from jsonschema_rs import (
        Draft4Validator,
        Draft7Validator,
        Draft202012Validator,
        ValidationError,
    )

    Validator = Draft202012Validator | Draft7Validator | Draft4Validator

_KEPT = 256
_OF_ANSWERS = {
    "openai-chat": "response_format.json_schema.schema",
    "openai-responses": "text.format.schema",
    "anthropic": "output_config.format.schema",
    "gemini": "generationConfig.responseJsonSchema",
}
_OF_TOOLS = {
    "openai-chat": "tools.{}.parameters",
    "openai-responses": "tools.{}.parameters",
    "anthropic": "tools.{}.input_schema",
    "gemini": "tools.functionDeclarations.{}.parameters",
}


def place_of_answers(task: Task) -> str:
    """Where the caller wrote the schema of the answer, in its own words."""
    return _OF_ANSWERS.get(task.reads, _OF_ANSWERS["openai-chat"])


def place_of_tool(task: Task, name: str) -> str:
    """Where the caller wrote the schema of a tool's arguments, in its own words."""
    return _OF_TOOLS.get(task.reads, _OF_TOOLS["openai-chat"]).format(name)


class Schemas:
    """The latest schemas that were seen."""

    def __init__(self) -> None:
        self._validators: dict[bytes, Validator] = {}

    def validator(self, schema: bytes, *, param: str) -> Validator:
        """What checks values by a schema.

        Raises:
            InvalidRequest: it is no JSON Schema; `param` names the field that it stands in.
        """
        found = self._validators.get(schema)
        if found is not None:
            return found
        validator = _compiled(schema, param)
        if len(self._validators) >= _KEPT:
            self._validators.pop(next(iter(self._validators)))
        self._validators[schema] = validator
        return validator


def _compiled(schema: bytes, param: str) -> Validator:
    """By the current draft, or else by an older one that knows more of what is written in it."""
    # Imported with the first schema: a gateway that sees none does not pay for it.
    import jsonschema_rs as rs

    wrong: Exception | None = None
    try:
        value = msgspec.json.decode(schema)
        if isinstance(value, str):  # the validator would read it as JSON once more
            raise ValueError(f"{value[:80]!r} is a string")
        for draft in (rs.Draft202012Validator, rs.Draft7Validator, rs.Draft4Validator):
            try:
                return draft(value, retriever=_refuse)
            except rs.ValidationError as error:
                wrong = wrong or error
    except (rs.ReferencingError, ValueError, RecursionError) as error:
        wrong = wrong or error
    raise InvalidRequest(f"`{param}` is not a valid JSON Schema: {wrong}", param=param) from None


def where(wrong: ValidationError) -> str:
    """Where and how a value breaks a schema, in words."""
    place = "/".join(str(step) for step in wrong.instance_path) or "the top level"
    return f"at {place}: {wrong.message[:160]}"


def _refuse(uri: str) -> Any:
    """A schema comes from a caller, who must not make the gateway fetch what it points to."""
    raise ValueError(f"{uri} lies outside the schema; put it under `$defs`")
