"""Does the code in an answer parse?"""

from __future__ import annotations

import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import a_task
from tierwise.gates import code as code_gate
from tierwise.gates.code import CodeGate
from tierwise.gates.fences import Block, blocks, whole
from tierwise.gates.grammars import GRAMMARS, Grammars
from tierwise.types import Completion, ToolCall, Verdict

TASK = a_task("Write a function")


def fenced(language: str, code: str) -> str:
    return f"Here it is:\n\n```{language}\n{code}\n```\n\nThat is all."


def judged(text: str) -> Verdict | None:
    return CodeGate().judge(TASK, Completion(text=text))


# --- finding code


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no code", []),
        ("some `code` and ```more``` in a line", []),
        ("```python\nx = 1\n```", [Block("python", "x = 1\n")]),
        ("```\nx\n```\n~~~ Rust,ignore\ny\n~~~", [Block("", "x\n"), Block("rust", "y\n")]),
        ("````md\n```\nx\n```\n````", [Block("md", "```\nx\n```\n")]),
        ("- item:\n  ```python\n  if x:\n      y\n  ```", [Block("python", "if x:\n    y\n")]),
        ("```{.python .numberLines}\nx\n```", [Block("python", "x\n")]),
        ("```c++\nx", [Block("c++", "x", closed=False)]),
        ("```", [Block("", "", closed=False)]),
        (
            "```\n# adds\ndef f(x) -> int:\n  y\n```",
            [Block("python", "# adds\ndef f(x) -> int:\n  y")],
        ),
        ("```\ndef f(x)\n  y\nend\n```", [Block("", "def f(x)\n  y\nend")]),
    ],
)
def test_fences_are_read_as_markdown_has_them(text: str, expected: list[Block]) -> None:
    assert [(b.language, b.code.strip(), b.closed) for b in blocks(text)] == [
        (b.language, b.code.strip(), b.closed) for b in expected
    ]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("def f(x):\n    return x", "python"),
        ("from math import pi\nprint(pi)", "python"),
        (' {"a": 1}\n', "json"),
        ("SELECT a FROM b;", "sql"),
        ("#!/bin/bash\nls", "bash"),
        ("<!DOCTYPE html><p>x", "html"),
        ("The class of animals", None),
        ("Select a colour.", None),
        ("", None),
    ],
)
def test_an_answer_that_is_all_code_is_known_by_how_it_begins(
    text: str, language: str | None
) -> None:
    found = whole(text)
    assert (found and found.language) == language


# --- parsing it

GOOD = {
    "python": "async def f(x):\n    return await x\n",
    "py": "!pip install x\nimport x\n%time f()\n",
    "json": '{"a": [1, null]}',
    "jsonl": '{"a": 1}\n{"a": 2}\n',
    "toml": "[a]\nb = 1\n",
    "yaml": "a: &x\n  - 1\nb: *x\n---\nc: 2\n",
}
BAD = {
    "python": "def f(x)\n    return x\n",
    "py": "x = (1\n",
    "json": '{"a": [1, null}',
    "jsonl": '{"a": 1}\n{"a": 2\n',
    "toml": "[a\nb = 1\n",
    "yaml": "a: [1, 2\nb: }\n",
}
GOOD_GRAMMAR = {
    "sql": "SELECT a, count(*) FROM t JOIN u ON t.id = u.id GROUP BY a;",
    "js": "const f = async (a) => <p>{await a?.b ?? 1}</p>;",
    "typescript": "function f<T>(a: T[]): T | undefined { return a[0]; }",
    "tsx": "const A = (p: Props) => <div>{p.x}</div>;",
    "java": "record P(int x) {}\nclass A { int f() { return 1; } }",
    "go": 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("x") }',
    "rust": "fn f<'a>(x: &'a str) -> &'a str { x }",
    "c": "#include <stdio.h>\nint main(void) { return 0; }",
    "c++": "template <class T> auto f(T a) { return [a] { return a; }; }",
    "bash": 'for i in a b; do echo "$i"; done',
    "html": "<!DOCTYPE html><html><body><p>x</p></body></html>",
    "css": ".a > b { color: red; }",
}
BAD_GRAMMAR = {
    "sql": "SELECT a FRM WHERE t JOIN",
    "js": "const f = (a => { return a",
    "typescript": "function f(a: { return a; }",
    "tsx": "const A = () => <div>{x</div>;",
    "java": "class A { int f( { return 1; } }",
    "go": "package main\n\nfunc main( { }",
    "rust": "fn f(x: ) -> { x }",
    "c": "int main(void) { return 0;",
    "c++": "template <class T auto f(T a) { return a; }",
    "bash": 'for i in a b; do echo "$i"',
    "html": "<html><body><p</body",
    "css": ".a { color: red",
}


@pytest.mark.parametrize(("language", "code"), GOOD.items())
def test_code_that_parses_is_accepted(language: str, code: str) -> None:
    verdict = judged(fenced(language, code))
    assert verdict == Verdict(gate="code", p=1.0, reason="the code parses")


@pytest.mark.parametrize(("language", "code"), BAD.items())
def test_code_that_does_not_parse_is_rejected_and_data_is_doubted(language: str, code: str) -> None:
    verdict = judged(fenced(language, code))
    assert verdict is not None
    data = language in ("json", "jsonl", "toml", "yaml")
    assert (verdict.gate, verdict.p) == ("code", 0.6 if data else 0.0)
    assert verdict.reason.startswith(f"the {language} does not parse: ")


@pytest.mark.parametrize("language", GOOD_GRAMMAR)
def test_other_languages_are_read_by_their_grammars(language: str) -> None:
    pytest.importorskip("tree_sitter", reason="the extra `code` is not installed")
    good = judged(fenced(language, GOOD_GRAMMAR[language]))
    bad = judged(fenced(language, BAD_GRAMMAR[language]))
    assert (good and good.p, bad and bad.p) == (1.0, 0.0)


def test_every_grammar_is_there_with_the_extra() -> None:
    pytest.importorskip("tree_sitter", reason="the extra `code` is not installed")
    grammars = Grammars()
    assert [name for name in GRAMMARS if grammars.wrong(name, "") is None] == []


def test_of_several_pieces_the_share_that_parses_counts() -> None:
    text = fenced("python", "x = 1  # and more\n" * 3) + fenced("python", "x = (1 # and more\n")
    verdict = judged(text)
    assert verdict is not None
    assert 0.7 < verdict.p < 0.8


def test_an_answer_that_is_all_code_is_judged_too() -> None:
    verdict = judged("def f(x):\n    return x\n")
    assert verdict is not None
    assert verdict.p == 1.0


def test_code_that_was_cut_off_is_rejected_and_says_so() -> None:
    verdict = judged("```python\ndef f(x):\n    return (x +")
    assert verdict is not None
    assert (verdict.p, "fence is not closed" in verdict.reason) == (0.0, True)


@pytest.mark.parametrize(
    "text",
    [
        "Paris.",
        fenced("", "whatever ("),
        fenced("brainfuck", "+["),
        fenced("text", "x = (1"),
        fenced("python", ">>> f(1)\n1\n>>> ("),
        fenced("json", '{"a": 1, ...}'),
        fenced("json", '{"a": 1} // an excerpt'),
        fenced("yaml", "a: {{ .Values.a }}\nb: }"),
        "def f(x):\n    return x\n\nThis function returns what it gets.",
        '{"a": 1} and {"b": 2}',
        fenced("python", "x = (1\n" + "#" * code_gate.MAX_CHARS),
    ],
)
def test_where_it_cannot_know_the_gate_has_nothing_to_say(text: str) -> None:
    assert judged(text) is None


def test_a_tool_call_is_no_code() -> None:
    call = ToolCall(name="f", arguments="{")
    answer = Completion(text=fenced("python", "x = (1"), tool_calls=(call,))
    assert CodeGate().judge(TASK, answer) is None


def test_without_the_extra_other_languages_are_left_out_and_it_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tree_sitter", None)
    monkeypatch.setattr(code_gate, "grammars_installed", lambda: False)
    with caplog.at_level(logging.WARNING, "tierwise.gates"):
        gate = CodeGate()
        for _ in range(2):
            assert gate.judge(TASK, Completion(text=fenced("rust", "fn f( {"))) is None
    assert [record.getMessage().count("tierwise[code]") for record in caplog.records] == [1]


@pytest.mark.parametrize(
    "code",
    [
        "(" * 30_000,
        "-" * 30_000 + "1",
        "a." * 15_000 + "b",
        "lambda:" * 4000 + "1",
        "a\0b",
        "\ud800",
    ],
)
def test_python_that_is_too_deep_for_its_parser_is_rejected(code: str) -> None:
    verdict = judged(fenced("python", code))
    assert verdict is not None
    assert verdict.p == 0.0


@given(
    language=st.sampled_from(["python", "json", "jsonl", "toml", "yaml", "", *GRAMMARS]),
    code=st.text(max_size=60),
    after=st.text(alphabet="`~\n a", max_size=20),
)
@settings(max_examples=200, deadline=None)
def test_whatever_is_written_the_verdict_is_a_probability(
    language: str, code: str, after: str
) -> None:
    for text in (code + after, fenced(language, code) + after):
        verdict = judged(text)
        assert verdict is None or 0.0 <= verdict.p <= 1.0
