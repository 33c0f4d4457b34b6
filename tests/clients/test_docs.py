"""The snippets of docs/clients.md are run against a gateway, each as it stands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from clients.test_clients import REQUIRED
from gateway import KEY

_ROOT = Path(__file__).parents[2]
_NODE = Path(__file__).parent / "node"
_SNIPPETS = re.findall(
    r"^```(python|js)\n(.*?)^```$",
    (_ROOT / "docs" / "clients.md").read_text(encoding="utf-8"),
    re.MULTILINE | re.DOTALL,
)


def _name(snippet: tuple[str, str]) -> str:
    return "-".join(re.findall(r"\bfrom \"?([@\w./-]+)|^import (\w+)", snippet[1], re.M)[0]).strip(
        "-"
    )


def _skip(missing: str) -> None:
    if os.environ.get(REQUIRED):
        pytest.fail(f"{missing} is not installed")
    pytest.skip(f"{missing} is not installed: `make clients` does so")


@pytest.mark.process
@pytest.mark.parametrize(("language", "text"), _SNIPPETS, ids=map(_name, _SNIPPETS))
def test_a_snippet_gets_an_answer(
    language: str, text: str, running: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "http://127.0.0.1:4100" in text
    text = text.replace("http://127.0.0.1:4100", running).replace("your-key", KEY)
    text = re.sub(r"\bauto\b", "openai-chat", text)
    if language == "python":
        try:
            exec(compile(text, "docs/clients.md", "exec"), {"__name__": "snippet"})  # noqa: S102
        except ModuleNotFoundError as error:
            _skip(str(error.name))
        said = capsys.readouterr().out
    else:
        if shutil.which("node") is None or not (_NODE / "node_modules").is_dir():
            _skip("a client for Node")
        run = subprocess.run(
            ["node", "--input-type=module", "--eval", text],
            cwd=_NODE,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        said = run.stdout
    assert "You said: Hello" in said or "text='Oslo'" in said
