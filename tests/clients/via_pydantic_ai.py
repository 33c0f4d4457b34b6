"""pydantic-ai's agents, which call tools by themselves."""

from __future__ import annotations

import asyncio
from typing import Any

from clients.contract import TOOLS, City, Client, Refusal, Target


class PydanticAI(Client):
    """What all of its models share."""

    def _model(self, to: Target) -> Any:
        raise NotImplementedError

    def _agent(self, to: Target, **options: Any) -> Any:
        from pydantic_ai import Agent

        return Agent(self._model(to), **options)

    def chat(self, to: Target, text: str) -> tuple[str, tuple[int, int] | None]:
        got = self._agent(to).run_sync(text)
        usage = got.usage() if callable(got.usage) else got.usage
        return got.output, (usage.input_tokens, usage.output_tokens)

    def stream(self, to: Target, text: str) -> list[str]:
        return asyncio.run(self._streamed(self._agent(to), text))

    async def _streamed(self, agent: Any, text: str) -> list[str]:
        async with agent.run_stream(text) as result:
            return [piece async for piece in result.stream_text(delta=True, debounce_by=None)]

    def tools(self, to: Target, text: str) -> str:
        return self._agent(to, tools=list(TOOLS.values())).run_sync(text).output  # type: ignore[no-any-return]

    def tools_streamed(self, to: Target, text: str) -> str:
        async def run() -> str:
            agent = self._agent(to, tools=list(TOOLS.values()))
            async with agent.run_stream_events(text) as events:
                *_, last = [event async for event in events]
            return last.result.output  # type: ignore[no-any-return]

        return asyncio.run(run())

    def structured(self, to: Target, text: str) -> City:
        found: City = self._agent(to, output_type=City).run_sync(text).output
        return found

    def picture(self, to: Target, text: str, png: bytes) -> str:
        from pydantic_ai import BinaryContent

        asked = [text, BinaryContent(data=png, media_type="image/png")]
        return self._agent(to).run_sync(asked).output  # type: ignore[no-any-return]

    def refused(self, to: Target) -> Refusal:
        from pydantic_ai.exceptions import ModelHTTPError

        try:
            self.chat(to, "Hello")
        except ModelHTTPError as error:
            return Refusal(type(error).__name__, error.status_code, str(error))
        raise AssertionError("nothing was raised")

    def leave(self, to: Target, text: str) -> str:
        async def run() -> str:
            async with self._agent(to).run_stream(text) as result:
                async for piece in result.stream_text(delta=True, debounce_by=None):
                    return piece  # type: ignore[no-any-return]
            raise AssertionError("nothing came")

        return asyncio.run(run())


class PydanticAIChat(PydanticAI):
    """Its `OpenAIChatModel`."""

    name = "pydantic-ai-openai-chat"
    dialect = "openai-chat"
    needs = ("pydantic_ai", "openai")

    def _model(self, to: Target) -> Any:
        from openai import AsyncOpenAI
        from pydantic_ai.models.openai import OpenAIChatModel
        from pydantic_ai.providers.openai import OpenAIProvider

        client = AsyncOpenAI(base_url=f"{to.url}/v1", api_key=to.key, max_retries=0)
        return OpenAIChatModel(to.model, provider=OpenAIProvider(openai_client=client))


class PydanticAIResponses(PydanticAI):
    """Its `OpenAIResponsesModel`."""

    name = "pydantic-ai-openai-responses"
    dialect = "openai-responses"
    needs = ("pydantic_ai", "openai")

    def _model(self, to: Target) -> Any:
        from openai import AsyncOpenAI
        from pydantic_ai.models.openai import OpenAIResponsesModel
        from pydantic_ai.providers.openai import OpenAIProvider

        client = AsyncOpenAI(base_url=f"{to.url}/v1", api_key=to.key, max_retries=0)
        return OpenAIResponsesModel(to.model, provider=OpenAIProvider(openai_client=client))


class PydanticAIAnthropic(PydanticAI):
    """Its `AnthropicModel`."""

    name = "pydantic-ai-anthropic"
    dialect = "anthropic"
    needs = ("pydantic_ai", "anthropic")

    def _model(self, to: Target) -> Any:
        from anthropic import AsyncAnthropic
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        client = AsyncAnthropic(base_url=to.url, api_key=to.key, max_retries=0)
        return AnthropicModel(to.model, provider=AnthropicProvider(anthropic_client=client))


class PydanticAIGoogle(PydanticAI):
    """Its `GoogleModel`."""

    name = "pydantic-ai-google"
    dialect = "gemini"
    needs = ("pydantic_ai", "google.genai")

    def _model(self, to: Target) -> Any:
        from pydantic_ai.models.google import GoogleModel
        from pydantic_ai.providers.google import GoogleProvider

        return GoogleModel(to.model, provider=GoogleProvider(api_key=to.key, base_url=to.url))


PYDANTIC_AI = (
    PydanticAIChat(),
    PydanticAIResponses(),
    PydanticAIAnthropic(),
    PydanticAIGoogle(),
)
