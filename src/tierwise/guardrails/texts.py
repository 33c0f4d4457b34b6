"""Finds the words in a JSON body of any dialect: what people and models say, and nothing else.

A body is decoded and gone through by the names of its fields, which the dialects have in common
for words. Names, ids, schemas, pictures and signatures are no words and are left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from tierwise.guardrails.base import Role, Side

_WORDS = frozenset(
    {
        *("content", "text", "input", "instructions", "system", "prompt", "output", "refusal"),
        *("thinking", "reasoning", "reasoning_content", "cited_text", "code", "delta", "query"),
        *("logs", "stdout", "stderr"),
    }
)
_ARGUMENTS = frozenset({"arguments", "partial_json"})
"""JSON as a text: its values are words, one by one."""
_FREE = frozenset({"args", "response"})
"""Objects of a tool's own making, whose every value is words (Gemini's)."""
_SKIPPED = frozenset(
    {
        *("tools", "functions", "tool_choice", "toolConfig", "tool_config", "metadata", "usage"),
        *("response_format", "format", "generationConfig", "generation_config", "safetySettings"),
        *("image_url", "inlineData", "inline_data", "fileData", "file_data", "audio", "schema"),
        "usageMetadata",
    }
)
_OF_A_TYPE = frozenset(
    {
        *(("text", "data"), ("document", "title"), ("document", "context")),
        ("reasoning.summary", "summary"),
    }
)
"""Words by the type of their object and the field: of Anthropic's documents, and of thoughts."""
_LOGPROBS = frozenset({"logprobs", "logprobsResult"})
"""The words once more, token by token."""
_SYSTEM = frozenset({"system", "instructions", "systemInstruction", "system_instruction"})
_ROLES: dict[str, Role] = {
    "system": "system", "developer": "system", "user": "user", "assistant": "assistant",
    "model": "assistant", "tool": "tool", "function": "tool",
}  # fmt: skip
_OUTPUT_ENDS = ("tool_result", "call_output", "search_result")

Path = tuple[str | int, ...]
Edit = tuple[int, int, str]
"""From which character up to which another text is to stand."""


class Editable(Protocol):
    """A text that can be changed. `changed` says whether it was."""

    changed: bool

    @property
    def text(self) -> str: ...

    @property
    def role(self) -> Role: ...

    def put(self, edits: Sequence[Edit]) -> None: ...


class Words:
    """One text, where it stands, and who says it. `path` leads to it through the body."""

    __slots__ = ("_holder", "_key", "changed", "path", "role", "text")

    def __init__(self, holder: Any, key: Any, text: str, role: Role, path: Path = ()) -> None:
        self._holder = holder
        self._key = key
        self.text = text
        self.role = role
        self.path = path
        self.changed = False

    def put(self, edits: Sequence[Edit]) -> None:
        """Replaces parts of it; they are in order and do not overlap."""
        self.text = edited(self.text, edits)
        self.changed = True
        self._holder[self._key] = self.text


class Body:
    """The words of one decoded JSON value.

    Args:
        everywhere: whether all its values are words, and not only those of fields known for it.
    """

    def __init__(self, value: Any, side: Side, *, everywhere: bool = False) -> None:
        self._top = [value]
        self.words: list[Words] = []
        self.arguments: list[Words] = []
        self._logprobs: list[tuple[Any, Any]] = []
        self._signatures: list[tuple[Any, Any]] = []
        self._side = side
        self._find(value, everywhere)
        if everywhere and isinstance(value, str):
            self.words.append(Words(self._top, 0, value, "user"))

    @property
    def value(self) -> Any:
        """All of it, with its words as they are now."""
        return self._top[0]

    @property
    def changed(self) -> bool:
        """Whether any word is another than it was."""
        return any(one.changed for one in (*self.words, *self.arguments))

    @property
    def thinks_otherwise(self) -> bool:
        """Whether a thought is another than it was."""
        return any(one.changed and one.path[-1:] == ("thinking",) for one in self.words)

    def without_logprobs(self) -> None:
        """Takes out what would tell the words that were masked."""
        for holder, key in self._logprobs:
            holder[key] = [] if isinstance(holder[key], list) else None

    def without_signatures(self) -> None:
        """Marks thoughts as nobody's: with another text than was signed they would be refused."""
        for holder, key in self._signatures:
            holder[key] = ""

    def _find(self, value: Any, everywhere: bool) -> None:
        # With a stack of its own: a body may be as deep as decoders allow, which is deeper than
        # calls may be.
        role: Role = "user" if self._side == "request" else "assistant"
        stack: list[tuple[Any, Role, bool, Path]] = [(value, role, everywhere, ())]
        while stack:
            node, role, free, path = stack.pop()
            below: list[tuple[Any, Role, bool, Path]] = []
            if isinstance(node, dict):
                role = _role_of(node, role)
                for key, item in node.items():
                    self._field(node, key, item, (role, free, path), below)
            elif isinstance(node, list):
                words = free or (bool(path) and path[-1] in _WORDS)
                for index, item in enumerate(node):
                    at = (*path, _place(index, item))
                    if isinstance(item, str):
                        if words:
                            self.words.append(Words(node, index, item, role, at))
                    elif isinstance(item, (dict, list)):
                        below.append((item, role, free, at))
            stack.extend(reversed(below))

    def _field(
        self,
        node: dict[str, Any],
        key: str,
        item: Any,
        around: tuple[Role, bool, Path],
        below: list[tuple[Any, Role, bool, Path]],
    ) -> None:
        """One field of an object: words of it are noted, what has fields of its own goes below."""
        role, free, path = around
        at = (*path, key)
        if key in _LOGPROBS and item and not free:
            self._logprobs.append((node, key))
        elif key == "signature" and isinstance(item, str) and not free:
            self._signatures.append((node, key))
        elif free:
            if isinstance(item, (dict, list)):
                below.append((item, role, True, at))
            elif _is_leaf(item):
                self.words.append(Words(node, key, str(item), role, at))
        elif isinstance(item, str) and path[-1:] == ("variables",):  # of a prompt kept at OpenAI
            self.words.append(Words(node, key, item, role, at))
        elif self._skips(node, key):
            return
        elif isinstance(item, str):
            self._text(node, key, item, role, at)
        elif isinstance(item, (dict, list)):
            inner: Role = "system" if key in _SYSTEM else role
            inner = "tool" if key == "functionResponse" else inner
            below.append((item, inner, _is_free(node, key), at))

    def _text(self, node: dict[str, Any], key: str, item: str, role: Role, at: Path) -> None:
        kind = str(node.get("type", ""))
        if key in _ARGUMENTS or (key == "delta" and kind.endswith("arguments.delta")):
            self.arguments.append(Words(node, key, item, role, at))
        elif key in _WORDS and not (key == "delta" and "audio" in kind):
            said: Role = "system" if key in _SYSTEM else role
            self.words.append(Words(node, key, item, said, at))
        elif (kind, key) in _OF_A_TYPE:
            self.words.append(Words(node, key, item, role, at))

    def _skips(self, node: dict[str, Any], key: str) -> bool:
        if key in _SKIPPED:
            return True
        if self._side == "answer":
            return key == "instructions"  # what was asked, said once more
        # What a provider has signed must come back as it was given.
        return key == "thinking" and bool(node.get("signature"))


class Arguments:
    """What a tool is called with: JSON in a text, whose values are looked at one by one.

    JSON that is broken is a text like any other.
    """

    def __init__(self, whole: Editable) -> None:
        self._whole = whole
        self._value: Any = None
        self.words: list[Editable] = [whole]
        try:
            self._value = [msgspec.json.decode(whole.text)]
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return
        self.words = list(_leaves(self._value, whole.role))

    def flush(self) -> None:
        """Puts the values where they came from."""
        if self._value is not None and any(one.changed for one in self.words):
            text = msgspec.json.encode(self._value[0]).decode()
            self._whole.put([(0, len(self._whole.text), text)])


def edited(text: str, edits: Sequence[Edit]) -> str:
    """A text with parts of it replaced; they are in order and do not overlap."""
    parts: list[str] = []
    at = 0
    for start, end, by in edits:
        parts += (text[at:start], by)
        at = end
    return "".join([*parts, text[at:]])


def _leaves(value: Any, role: Role) -> list[Words]:
    found: list[Words] = []
    stack = [value]
    while stack:
        node = stack.pop()
        items = list(node.items() if isinstance(node, dict) else enumerate(node))
        for key, item in items:
            if _is_leaf(item):
                found.append(Words(node, key, str(item), role))
        stack.extend(item for _, item in reversed(items) if isinstance(item, (dict, list)))
    return found


def _is_leaf(item: Any) -> bool:
    return isinstance(item, (str, int, float)) and not isinstance(item, bool)


def _is_free(node: dict[str, Any], key: str) -> bool:
    """Whether a field is an object of a tool's own making."""
    if key == "input":
        return str(node.get("type", "")).endswith("tool_use")
    return key in _FREE and "name" in node


def _role_of(node: dict[str, Any], role: Role) -> Role:
    said = node.get("role")
    if isinstance(said, str):
        role = _ROLES.get(said, role)
    kind = node.get("type")
    if isinstance(kind, str) and kind.endswith(_OUTPUT_ENDS):
        return "tool"
    return role


def _place(index: int, item: Any) -> int:
    """Which of a list an item is: by its own word where it has one, as parts of streams do."""
    if isinstance(item, dict):
        own = item.get("index")
        if isinstance(own, int):
            return own
    return index
