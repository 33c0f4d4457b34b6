"""Clients for Node, in one process of it that is asked line by line."""

from __future__ import annotations

import atexit
import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, ClassVar

from clients.contract import City, Client, Refusal, Target
from clients.via_official import OpenAIChat

_FOLDER = Path(__file__).parent / "node"


class NodeError(Exception):
    """What was thrown."""

    def __init__(self, kind: str, status: int, message: str) -> None:
        super().__init__(message)
        self.refusal = Refusal(kind, status, message)


class Node:
    """The process, started when it is first asked."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def ask(self, **question: Any) -> Any:
        """What a client gives.

        Raises:
            NodeError: it has thrown an error.
        """
        if self._process is None:
            self._process = subprocess.Popen(
                ["node", "serve.mjs"],
                cwd=_FOLDER,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            atexit.register(self._process.kill)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise NodeError(**answer["error"])
        return answer["value"]


_NODE = Node()


class NodeClient(Client):
    """One of them, by its name in `node/serve.mjs`."""

    package: ClassVar[str]

    def missing(self) -> str | None:
        if shutil.which("node") is None:
            return "Node"
        there = (_FOLDER / "node_modules" / self.package).is_dir()
        return None if there else f"{self.package} for Node"

    def _ask(self, operation: str, to: Target, text: str, png: bytes = b"") -> Any:
        told = {"url": to.url, "key": to.key, "model": to.model}
        data = base64.b64encode(png).decode()
        return _NODE.ask(client=self.name, operation=operation, to=told, text=text, png=data)

    def chat(self, to: Target, text: str) -> tuple[str, tuple[int, int] | None]:
        said, read, written = self._ask("chat", to, text)
        return said, (read, written)

    def stream(self, to: Target, text: str) -> list[str]:
        pieces: list[str] = self._ask("stream", to, text)
        return pieces

    def tools(self, to: Target, text: str) -> str:
        said: str = self._ask("tools", to, text)
        return said

    def tools_streamed(self, to: Target, text: str) -> str:
        said: str = self._ask("tools_streamed", to, text)
        return said

    def structured(self, to: Target, text: str) -> City:
        return City.model_validate(self._ask("structured", to, text))

    def picture(self, to: Target, text: str, png: bytes) -> str:
        said: str = self._ask("picture", to, text, png)
        return said

    def refused(self, to: Target) -> Refusal:
        try:
            self.chat(to, "Hello")
        except NodeError as error:
            return error.refusal
        raise AssertionError("nothing was raised")

    def leave(self, to: Target, text: str) -> str:
        first: str = self._ask("leave", to, text)
        return first


class OpenAINodeChat(NodeClient):
    """Chat Completions of `openai`."""

    name = "openai-node-chat"
    dialect = "openai-chat"
    package = "openai"
    errors = OpenAIChat.errors


class OpenAINodeResponses(NodeClient):
    """Responses of `openai`."""

    name = "openai-node-responses"
    dialect = "openai-responses"
    package = "openai"
    errors = OpenAIChat.errors


class AnthropicNode(NodeClient):
    """Messages of `@anthropic-ai/sdk`."""

    name = "anthropic-node"
    dialect = "anthropic"
    package = "@anthropic-ai/sdk"
    errors = OpenAIChat.errors


class GoogleNode(NodeClient):
    """`@google/genai`."""

    name = "google-genai-node"
    dialect = "gemini"
    package = "@google/genai"


class VercelChat(NodeClient):
    """`@ai-sdk/openai`, asking Chat Completions."""

    name = "vercel-openai-chat"
    dialect = "openai-chat"
    package = "@ai-sdk/openai"


class VercelResponses(NodeClient):
    """`@ai-sdk/openai` as it is."""

    name = "vercel-openai-responses"
    dialect = "openai-responses"
    package = "@ai-sdk/openai"


class VercelAnthropic(NodeClient):
    """`@ai-sdk/anthropic`."""

    name = "vercel-anthropic"
    dialect = "anthropic"
    package = "@ai-sdk/anthropic"


class VercelGoogle(NodeClient):
    """`@ai-sdk/google`."""

    name = "vercel-google"
    dialect = "gemini"
    package = "@ai-sdk/google"


NODE = (
    OpenAINodeChat(),
    OpenAINodeResponses(),
    AnthropicNode(),
    GoogleNode(),
    VercelChat(),
    VercelResponses(),
    VercelAnthropic(),
    VercelGoogle(),
)
