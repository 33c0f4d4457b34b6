"""The dialects that the gateway speaks, and which of them a request is in."""

from __future__ import annotations

from tierwise.server.claude_on_vertex import ClaudeOnVertexSpeech, is_claudes
from tierwise.server.google import GeminiSpeech, asked_in, key_in_query
from tierwise.server.request import Scope
from tierwise.server.responses import ResponsesSpeech
from tierwise.server.speech import AnthropicSpeech, ListingSpeech, Speech
from tierwise.state.kept_responses import KeptResponses


class Speeches:
    """All of them. Errors have the shape that the client of a path expects."""

    def __init__(self, kept: KeptResponses) -> None:
        self.chat = Speech()
        self.listing = ListingSpeech()
        self.anthropic = AnthropicSpeech()
        self.responses = ResponsesSpeech(kept)
        self.gemini = GeminiSpeech()
        self.vertex = ClaudeOnVertexSpeech()

    def of(self, scope: Scope) -> Speech:
        """The one in which this request is answered."""
        path: str = scope["path"]
        if path == "/v1/messages" or path.startswith("/v1/messages/"):
            return self.anthropic
        if is_claudes(path):
            return self.vertex
        if path.startswith("/v1beta") or asked_in(path) is not None:
            return self.gemini
        if path == "/v1/models" or path.startswith("/v1/models/"):
            names = {name for name, _ in scope["headers"]}
            if b"anthropic-version" in names:
                return self.anthropic
            # Google's own client asks under /v1, too.
            if b"x-goog-api-key" in names or key_in_query(scope):
                return self.gemini
            return self.listing
        return self.chat
