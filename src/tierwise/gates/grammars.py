"""Does code parse? By Python's own parsers, and by tree-sitter's grammars where installed."""

from __future__ import annotations

import ast
import json
import re
import time
import tomllib
import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

ALIASES = {
    "py": "python",
    "python3": "python",
    "yml": "yaml",
    "js": "javascript",
    "jsx": "javascript",
    "mjs": "javascript",
    "node": "javascript",
    "ts": "typescript",
    "golang": "go",
    "rs": "rust",
    "h": "c",
    "c++": "cpp",
    "cc": "cpp",
    "cxx": "cpp",
    "hpp": "cpp",
    "sh": "bash",
    "shell": "bash",
    "zsh": "bash",
    "mysql": "sql",
    "postgresql": "sql",
    "sqlite": "sql",
    "ndjson": "jsonl",
}
"""Other names under which fences call the languages."""
GRAMMARS = {
    "sql": "tree_sitter_sql:language",
    "javascript": "tree_sitter_javascript:language",
    "typescript": "tree_sitter_typescript:language_typescript",
    "tsx": "tree_sitter_typescript:language_tsx",
    "java": "tree_sitter_java:language",
    "go": "tree_sitter_go:language",
    "rust": "tree_sitter_rust:language",
    "c": "tree_sitter_c:language",
    "cpp": "tree_sitter_cpp:language",
    "bash": "tree_sitter_bash:language",
    "html": "tree_sitter_html:language",
    "css": "tree_sitter_css:language",
}
"""The languages that are read by tree-sitter, of the extra `tierwise[code]`."""

_PARSE_S = 0.05
"""The CPU time for one piece of code, in seconds. Good code of the greatest length takes a fifth;
in garbage a grammar tries so many ways that other requests could wait for seconds."""
_READ_BYTES = 4096

# What notebooks allow in Python: shell commands and magic words.
_NOTEBOOK = re.compile(r"^(\s*)[!%].*$", re.M)
_TEMPLATE = re.compile(r"\{\{|\{%|<%")
_ELLIPSIS = re.compile(r"\.\.\.|…|//|/\*|#")


class Grammars:
    """What is wrong with a piece of code. A grammar is loaded with the first code that needs it."""

    def __init__(self) -> None:
        self._parsers: dict[str, Parser | None] = {}

    def wrong(self, language: str, code: str) -> str | None:
        """What is wrong, "" if nothing is; None where the language cannot be judged."""
        language = ALIASES.get(language, language)
        reader = _READERS.get(language)
        if reader is not None:
            return reader(code)
        if language not in GRAMMARS:
            return None
        parser = self._parser(language)
        return None if parser is None else _by_tree(parser, code)

    def _parser(self, language: str) -> Parser | None:
        if language not in self._parsers:
            self._parsers[language] = _load(language)
        return self._parsers[language]


def grammars_installed() -> bool:
    """Whether the extra `tierwise[code]` is there."""
    return find_spec("tree_sitter") is not None


def python_tree(code: str) -> ast.Module:
    """The syntax tree of Python; lines that only notebooks know count as `pass`.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: it does not parse.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its string escapes, which are not ours to mend
        try:
            return ast.parse(code)
        except SyntaxError:
            mended, count = _NOTEBOOK.subn(r"\1pass", code)
            if not count:
                raise
            return ast.parse(mended)


def _python(code: str) -> str | None:
    if re.search(r"^\s*>>> ", code, re.M):
        return None  # a session of the interpreter, shown as text
    try:
        python_tree(code)
    except SyntaxError as error:
        return f"line {error.lineno or 1}: {error.msg}"
    except (ValueError, RecursionError, MemoryError) as error:
        return f"cannot be parsed: {type(error).__name__}"
    return ""


def _json(code: str) -> str | None:
    try:
        json.loads(code)
    except RecursionError:
        return None
    except ValueError as error:
        # An excerpt, or JSON with comments: shown to people, not meant for a parser.
        return None if _ELLIPSIS.search(code) else str(error)
    return ""


def _jsonl(code: str) -> str | None:
    for line in code.splitlines():
        if line.strip() and (wrong := _json(line)) != "":
            return wrong
    return ""


def _toml(code: str) -> str | None:
    try:
        tomllib.loads(code)
    except RecursionError:
        return None
    except ValueError as error:
        return str(error)
    return ""


def _yaml(code: str) -> str | None:
    if _TEMPLATE.search(code):
        return None
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        for _ in yaml.parse(code, Loader=loader):  # events only, so that no alias is ever followed
            pass
    except RecursionError:
        return None
    except (yaml.YAMLError, ValueError) as error:
        return " ".join(str(error).split())
    return ""


_READERS: dict[str, Callable[[str], str | None]] = {
    "python": _python,
    "json": _json,
    "jsonl": _jsonl,
    "toml": _toml,
    "yaml": _yaml,
}


def _load(language: str) -> Parser | None:
    module, _, function = GRAMMARS[language].partition(":")
    try:
        import tree_sitter

        grammar = tree_sitter.Language(getattr(import_module(module), function)())
    except (ImportError, AttributeError, ValueError):  # not there, or not made for each other
        return None
    return tree_sitter.Parser(grammar)


def _by_tree(parser: Parser, code: str) -> str | None:
    """What is wrong, by a grammar; None for code that takes too long to read."""
    source = code.encode("utf-8", "replace")
    until = time.thread_time() + _PARSE_S
    fault: int | None = None

    def enough(offset: int, faulty: bool) -> bool:
        nonlocal fault
        if faulty and fault is None:
            fault = offset
        return time.thread_time() > until

    try:
        tree = parser.parse(
            lambda offset, _: source[offset : offset + _READ_BYTES], progress_callback=enough
        )
    except ValueError:  # this is how it says that it was stopped
        parser.reset()
        return None if fault is None else _unparsable(source.count(b"\n", 0, fault))
    root = tree.root_node
    return _unparsable(_fault(root).start_point[0]) if root.has_error else ""


def _unparsable(line: int) -> str:
    return f"line {line + 1}: cannot be parsed"


def _fault(node: Node) -> Node:
    """The first node at fault. Goes down only where one is: that costs no more than a path."""
    while not (node.is_error or node.is_missing):
        faulty = next((child for child in node.children if child.has_error), None)
        if faulty is None:
            break
        node = faulty
    return node
