"""Does the code in an answer parse?"""

from __future__ import annotations

import logging

from tierwise.gates.fences import Block, blocks, whole
from tierwise.gates.grammars import Grammars, grammars_installed
from tierwise.types import Completion, Task, Verdict

log = logging.getLogger("tierwise.gates")

MAX_CHARS = 32 * 1024
"""Longer code is not looked at: parsing it would keep other requests waiting."""


_DATA = frozenset({"json", "jsonl", "toml", "yaml"})
_LENIENT = 0.6
"""How much of broken data is right: 62% of 7,949 recorded answers of ZeroEval, whose readers take
JSON with raw line breaks and single backslashes. Where it must be strict, a schema is declared."""


class CodeGate:
    """Rejects code that its language's parser rejects.

    Python, JSON, TOML and YAML are read by Python's own parsers; SQL, JavaScript, TypeScript,
    Java, Go, Rust, C, C++, Bash, HTML and CSS by tree-sitter, if `tierwise[code]` is installed.
    """

    name = "code"

    def __init__(self) -> None:
        self._grammars = Grammars()
        if not grammars_installed():
            log.warning(
                "the gate `code` reads Python, JSON, TOML and YAML only: "
                "`pip install 'tierwise[code]'` adds other languages"
            )

    def judge(self, task: Task, answer: Completion) -> Verdict | None:  # noqa: ARG002
        """The share of the answer's code, in characters, that parses.

        None where there is no code, or none in a language that is known. Where an answer without
        fences begins as code and does not parse as a whole, prose may follow, and nothing is said.
        """
        text = answer.text
        if len(text) > MAX_CHARS or answer.tool_calls:
            return None
        found = blocks(text)
        if not found:
            only = whole(text)
            if only is None or self._grammars.wrong(only.language, only.code) != "":
                return None
            return Verdict(gate=self.name, p=1.0, reason=f"all of it parses as {only.language}")
        return self._verdict([block for block in found if block.code.strip()])

    def _verdict(self, found: list[Block]) -> Verdict | None:
        judged, broken = 0, 0.0
        reason = ""
        for block in found:
            wrong = self._grammars.wrong(block.language, block.code)
            if wrong is None:
                continue
            judged += len(block.code)
            if wrong:
                right = _LENIENT if block.language in _DATA else 0.0
                broken += (1.0 - right) * len(block.code)
                cut = "" if block.closed else ", and its fence is not closed"
                reason = reason or f"the {block.language} does not parse: {wrong[:160]}{cut}"
        if not judged:
            return None
        return Verdict(gate=self.name, p=1 - broken / judged, reason=reason or "the code parses")
