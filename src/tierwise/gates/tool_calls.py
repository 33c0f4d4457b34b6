"""Are the tools that an answer calls those that the request declared, and called as declared?"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Raw, Struct, field

from tierwise.errors import InvalidRequest
from tierwise.gates.schemas import Schemas, place_of_tool, where
from tierwise.types import Completion, Task, ToolCall, Verdict

_ABSENT = Raw(b"")
_KEPT = 256


class _Function(Struct):
    name: str
    parameters: Raw = _ABSENT


class _Tool(Struct):
    type: str = "function"
    function: Raw = _ABSENT


class _Named(Struct):
    name: str | None = None


class _Listed(Struct):
    name: str | None = None
    function: _Named | None = None


class _Allowed(Struct):
    mode: str = "auto"
    tools: list[_Listed] = field(default_factory=list)


class _Choice(Struct):
    function: _Named | None = None
    allowed_tools: _Allowed | None = None


class _Asked(Struct):
    """The part of a request that is about tools."""

    tools: Raw = _ABSENT
    functions: Raw = _ABSENT
    tool_choice: Raw = _ABSENT
    parallel_tool_calls: bool | None = None


class _Declared(Struct):
    """The tools of a request: the schema of each function's arguments, b"" where any will do.

    `others` says that there are tools of other kinds, whose calls are not for this gate to judge.
    """

    schemas: dict[str, bytes]
    others: bool


class _Rule(Struct):
    """What `tool_choice` asks for; `names` is None where any declared tool may be called."""

    calls: Literal["none", "auto", "required"]
    names: frozenset[str] | None = None


_decode_asked = msgspec.json.Decoder(_Asked).decode
_decode_tools = msgspec.json.Decoder(list[_Tool]).decode
_decode_function = msgspec.json.Decoder(_Function).decode
_decode_functions = msgspec.json.Decoder(list[_Function]).decode
_decode_choice = msgspec.json.Decoder(str | _Choice).decode
_NOBODY = _Declared({}, others=False)


class ToolCallsGate:
    """Checks tool calls against `tools`, `tool_choice` and `parallel_tool_calls`.

    The tools of a request are read once for each distinct list, and only for an answer that calls
    a tool or had to.
    """

    name = "tool_calls"

    def __init__(self) -> None:
        self._schemas = Schemas()
        self._declared: dict[bytes, _Declared] = {}

    def prepare(self, task: Task) -> None:
        """Refuses tools that cannot be called.

        Raises:
            InvalidRequest: the schema of a tool's arguments is itself invalid.
        """
        if task.tools:
            self._tools(_decode_asked(task.body), task)

    def judge(self, task: Task, answer: Completion) -> Verdict | None:
        """1 if the calls are as declared, 0 if one is not or a required one is missing.

        None where no tool was called and none had to be.

        Raises:
            InvalidRequest: the schema of a tool's arguments is itself invalid.
        """
        if not task.tools:
            if not answer.tool_calls:
                return None
            return self._verdict(f"calls {_quoted(answer)}, but no tool was declared")
        asked = _decode_asked(task.body)
        rule = _rule(asked)
        if not answer.tool_calls:
            if rule.calls != "required" or answer.refusal is not None:
                return None
            return self._verdict("calls no tool, though the request requires it")
        return self._verdict(self._wrong(asked, rule, answer, task))

    def _verdict(self, wrong: str) -> Verdict:
        if wrong:
            return Verdict(gate=self.name, p=0.0, reason=wrong)
        return Verdict(gate=self.name, p=1.0, reason="the calls are as declared")

    def _wrong(self, asked: _Asked, rule: _Rule, answer: Completion, task: Task) -> str:
        """What is wrong with an answer's calls; "" if nothing is."""
        if rule.calls == "none":
            return f"calls {_quoted(answer)}, though `tool_choice` is none"
        if asked.parallel_tool_calls is False and len(answer.tool_calls) > 1:
            return f"makes {len(answer.tool_calls)} calls at once, though only one was allowed"
        declared = self._tools(asked, task)
        for call in answer.tool_calls:
            wrong = self._wrong_call(call, declared, rule)
            if wrong:
                return wrong
        return ""

    def _wrong_call(self, call: ToolCall, declared: _Declared, rule: _Rule) -> str:
        if call.name not in declared.schemas:
            if declared.others:
                return ""
            return f"calls {call.name[:80]!r}, which was not declared"
        if rule.names is not None and call.name not in rule.names:
            return f"calls {call.name[:80]!r}, though `tool_choice` asks for another"
        try:
            # Some providers send nothing where there are no arguments.
            arguments = msgspec.json.decode(call.arguments.strip() or "{}")
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            return f"the arguments of {call.name!r} are not valid JSON: {error}"
        if not isinstance(arguments, dict):
            return f"the arguments of {call.name!r} are not a JSON object"
        schema = declared.schemas[call.name]
        if not schema:
            return ""
        validator = self._schemas.validator(schema, param="tools")
        wrong = next(validator.iter_errors(arguments), None)
        return f"breaks the schema of {call.name!r} {where(wrong)}" if wrong else ""

    def _tools(self, asked: _Asked, task: Task) -> _Declared:
        key = bytes(asked.tools) + bytes(asked.functions)
        found = self._declared.get(key)
        if found is None:
            found = self._read(asked, task)
            if len(self._declared) >= _KEPT:
                self._declared.pop(next(iter(self._declared)))
            self._declared[key] = found
        return found

    def _read(self, asked: _Asked, task: Task) -> _Declared:
        """The declared tools, their schemas compiled.

        Raises:
            InvalidRequest: one is no tool, or its schema is none.
        """
        found = _NOBODY
        try:
            found = _functions(asked)
        except msgspec.ValidationError as error:
            raise InvalidRequest(f"`tools` cannot be read: {error}", param="tools") from None
        for name, schema in found.schemas.items():
            if schema:
                self._schemas.validator(schema, param=place_of_tool(task, name))
        return found


def _functions(asked: _Asked) -> _Declared:
    functions: list[_Function] = []
    others = False
    if _given(asked.tools):
        for tool in _decode_tools(bytes(asked.tools)):
            if tool.type == "function" and _given(tool.function):
                functions.append(_decode_function(tool.function))
            else:
                others = True
    if _given(asked.functions):
        functions += _decode_functions(asked.functions)
    schemas = {one.name: bytes(one.parameters) for one in functions}
    return _Declared({n: s if s != b"null" else b"" for n, s in schemas.items()}, others)


def _rule(asked: _Asked) -> _Rule:
    """What `tool_choice` asks for. One that cannot be read is the provider's matter."""
    if not _given(asked.tools) or not _given(asked.tool_choice):
        return _Rule("auto")
    try:
        choice = _decode_choice(asked.tool_choice)
    except msgspec.ValidationError:
        return _Rule("auto")
    if isinstance(choice, str):
        if choice == "none":
            return _Rule("none")
        # `any` is what Mistral calls it.
        return _Rule("required" if choice in ("required", "any") else "auto")
    if choice.allowed_tools is not None:
        listed = choice.allowed_tools.tools
        names = {tool.function.name if tool.function else tool.name for tool in listed}
        required = choice.allowed_tools.mode == "required"
        allowed = frozenset(name for name in names if name is not None)
        return _Rule("required" if required else "auto", allowed or None)
    if choice.function is not None and choice.function.name:
        return _Rule("required", frozenset({choice.function.name}))
    return _Rule("auto")


def _given(value: Raw) -> bool:
    return bytes(value) not in (b"", b"null")


def _quoted(answer: Completion) -> str:
    return ", ".join(repr(call.name[:80]) for call in answer.tool_calls[:3])
