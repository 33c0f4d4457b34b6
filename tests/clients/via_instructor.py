"""instructor, which asks for structured answers by the makers' SDKs."""

from __future__ import annotations

from typing import Any

from clients.contract import City, Client, Refusal, Target
from clients.via_official import Anthropic, GoogleGenai, OpenAIChat

_PLAIN = frozenset({"chat", "stream", "tools", "tools_streamed"})
"""What is not structured is asked of the SDK beneath."""


class Instructor(Client):
    """What all of its clients share."""

    cannot = _PLAIN

    def _client(self, to: Target) -> Any:
        raise NotImplementedError

    def _asked(self, content: Any) -> dict[str, Any]:
        messages = [{"role": "user", "content": content}]
        return {"response_model": City, "messages": messages, "max_retries": 0}

    def structured(self, to: Target, text: str) -> City:
        found: City = self._client(to).create(**self._asked(text))
        return found

    def picture(self, to: Target, text: str, png: bytes) -> str:
        raise NotImplementedError

    def refused(self, to: Target) -> Refusal:
        try:
            self._client(to).create(**{**self._asked("Hello"), "response_model": None})
        except Exception as error:
            inner: BaseException | None = error
            while inner is not None:
                status = getattr(inner, "status_code", None) or getattr(inner, "code", None)
                if isinstance(status, int):
                    return Refusal(type(inner).__name__, status, str(inner))
                inner = inner.__cause__ or inner.__context__
            raise
        raise AssertionError("nothing was raised")

    def leave(self, to: Target, text: str) -> str:
        raise NotImplementedError


class InstructorOpenAI(Instructor):
    """Around `openai`."""

    name = "instructor-openai"
    dialect = "openai-chat"
    needs = ("instructor", "openai")
    cannot = _PLAIN | {"picture", "leave"}

    def _client(self, to: Target) -> Any:
        import instructor

        return instructor.from_openai(OpenAIChat()._client(to), model=to.model)


class InstructorSchema(InstructorOpenAI):
    """Around `openai`, with a JSON schema instead of a tool."""

    name = "instructor-openai-json-schema"

    def _client(self, to: Target) -> Any:
        import instructor

        mode = instructor.Mode.JSON_SCHEMA
        return instructor.from_openai(OpenAIChat()._client(to), mode=mode, model=to.model)


class InstructorAnthropic(Instructor):
    """Around `anthropic`."""

    name = "instructor-anthropic"
    dialect = "anthropic"
    needs = ("instructor", "anthropic")
    cannot = _PLAIN | {"picture", "leave"}

    def _client(self, to: Target) -> Any:
        import instructor

        return instructor.from_anthropic(Anthropic()._client(to), model=to.model, max_tokens=300)


class InstructorGoogle(Instructor):
    """Around `google-genai`."""

    name = "instructor-google-genai"
    dialect = "gemini"
    needs = ("instructor", "google.genai")
    cannot = _PLAIN | {"picture", "leave"}

    def _client(self, to: Target) -> Any:
        import instructor

        return instructor.from_genai(GoogleGenai()._client(to), model=to.model)


INSTRUCTOR = (InstructorOpenAI(), InstructorSchema(), InstructorAnthropic(), InstructorGoogle())
