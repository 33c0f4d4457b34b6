"""Which recorded interactions are calls that Tierwise makes, and in which dialect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from recordings.recorded import Interaction

PROVIDERS = {
    "api.openai.com": "openai",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral",
    "api.deepseek.com": "deepseek",
    "openrouter.ai": "openrouter",
    "api.x.ai": "xai",
}
"""The presets of hosts whose adapter has peculiarities."""


_VERTEX = "/publishers/google/models/"


@dataclass(frozen=True)
class Scope:
    """`adapter` is the name of what speaks to the provider, `dialect` what it speaks."""

    kind: Literal["answer", "embedding"]
    adapter: str
    dialect: str
    provider: str | None = None


def scope_of(one: Interaction) -> Scope | str:
    """How a call is made, or why it is none of ours."""
    path, host = one.path, one.host
    last = path.rpartition("/")[2]
    if one.method != "POST":
        return f"{one.method} {path} asks no model"
    if "bedrock-runtime" in host or "/bedrock/model/" in path:
        return _bedrock(last, one)
    if last.endswith((":generateContent", ":streamGenerateContent")):
        listed = one.status < 300 and one.answered.lstrip()[:1] == b"["
        if listed and last.endswith(":streamGenerateContent"):
            return "a stream as one JSON array is nothing that Tierwise asks for"
        return Scope("answer", "vertex" if _VERTEX in path else "gemini", "gemini")
    if last.endswith(":batchEmbedContents"):
        return Scope("embedding", "gemini", "gemini")
    if path in ("/v2/chat", "/v2/embed") and "cohere" in host:
        kind: Literal["answer", "embedding"] = "answer" if path == "/v2/chat" else "embedding"
        return Scope(kind, "cohere", "cohere")
    if path.endswith("/v1/messages"):
        return Scope("answer", "anthropic", "anthropic")
    if last == "responses":
        if one.question().get("background"):
            return "answers in the background are fetched from the provider that gives them"
        return Scope("answer", "openai_responses", "openai-responses", PROVIDERS.get(host))
    if path.endswith("/chat/completions"):
        provider = PROVIDERS.get(host)
        adapter = "mistral" if provider == "mistral" else "openai_compatible"
        return Scope("answer", adapter, "openai-chat", provider)
    if last == "embeddings":
        voyage = "voyage" if "voyageai" in host else "openai_compatible"
        return Scope("embedding", voyage, "openai-chat")
    return f"POST {path} asks no model for an answer"


_BLOCKS = frozenset(
    {
        *("text", "image", "audio", "video", "document"),
        *("toolUse", "toolResult", "reasoningContent", "cachePoint"),
    }
)
_EMBEDDED = frozenset({"inputText", "singleEmbeddingParams", "texts"})
"""Where models of Bedrock are given what they embed."""


def _bedrock(last: str, one: Interaction) -> Scope | str:
    if last in ("converse", "converse-stream"):
        messages = one.question().get("messages") or ()
        blocks = [block for said in messages for block in said.get("content") or ()]
        unknown = sorted({kind for block in blocks for kind in block} - _BLOCKS)
        if unknown:
            return f"no client has words for `{unknown[0]}`"
        return Scope("answer", "bedrock", "bedrock")
    if last in ("invoke", "invoke-with-response-stream"):
        if "anthropic_version" in one.question():
            return Scope("answer", "bedrock_invoke", "anthropic")
        if _EMBEDDED & one.question().keys():
            return Scope("embedding", "bedrock", "bedrock")
        return f"POST .../{last} asks in words of a model's own"
    return f"POST .../{last} asks no model for an answer"


@dataclass(frozen=True)
class Place:
    """Where a call goes: the path that its base URL ends with, and the model.

    `stream` is whether the URL asks for a stream; None if that stands in the body.
    """

    root: str
    model: str
    stream: bool | None = None


_ENDINGS = {
    "openai_compatible": "/chat/completions",
    "mistral": "/chat/completions",
    "openai_responses": "/responses",
    "anthropic": "/v1/messages",
    "cohere": "/v2/chat",
}


def place_of(one: Interaction, scope: Scope) -> Place:
    """The parts of a recorded URL."""
    path = one.path
    if scope.adapter in _ENDINGS:
        return Place(path.removesuffix(_ENDINGS[scope.adapter]), one.question().get("model", ""))
    if scope.adapter in ("bedrock", "bedrock_invoke"):
        root, _, rest = path.partition("/model/")
        model, _, verb = rest.rpartition("/")
        return Place(root, unquote(model), "stream" in verb)
    if scope.adapter == "vertex":
        root, _, last = path.partition(_VERTEX)
    elif "/tunedModels/" in path:
        root, _, last = path.partition("/tunedModels/")
        last = f"tunedModels/{last}"
    else:
        root, _, last = path.partition("/models/")
    model, _, verb = last.rpartition(":")
    return Place(root, unquote(model), verb.startswith("stream"))
