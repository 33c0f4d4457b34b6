"""LiteLLM as a client, which speaks as the prefix of a model's name says."""

from __future__ import annotations

import base64
import json
from typing import Any, ClassVar

from clients.contract import PARAMETERS, TOOLS, City, Client, Refusal, Target


class LiteLLM(Client):
    """What it does for every provider."""

    needs = ("litellm",)
    prefix = ""
    root = ""

    def _ask(self, to: Target, content: Any, **more: Any) -> Any:
        messages = [{"role": "user", "content": content}]
        return self._complete(to, messages, **more)

    def _complete(self, to: Target, messages: list[Any], **more: Any) -> Any:
        import litellm

        return litellm.completion(
            model=f"{self.prefix}/{to.model}",
            api_base=to.url + self.root.format(model=to.model),
            api_key=to.key,
            messages=messages,
            max_retries=0,
            **more,
        )

    def chat(self, to: Target, text: str) -> tuple[str, tuple[int, int] | None]:
        got = self._ask(to, text)
        tokens = got.usage.prompt_tokens, got.usage.completion_tokens
        return got.choices[0].message.content, tokens

    def stream(self, to: Target, text: str) -> list[str]:
        chunks = self._ask(to, text, stream=True)
        return [piece for one in chunks if (piece := one.choices[0].delta.content)]

    def tools(self, to: Target, text: str) -> str:
        return self._converse(to, text, streamed=False)

    def tools_streamed(self, to: Target, text: str) -> str:
        return self._converse(to, text, streamed=True)

    def _converse(self, to: Target, text: str, *, streamed: bool) -> str:
        import litellm

        tools = [
            {"type": "function", "function": {"name": name, "parameters": PARAMETERS}}
            for name in TOOLS
        ]
        messages: list[Any] = [{"role": "user", "content": text}]
        while True:
            got = self._complete(to, messages, tools=tools, stream=streamed)
            if streamed:
                got = litellm.stream_chunk_builder(list(got))
            said = got.choices[0].message
            if not said.tool_calls:
                return said.content  # type: ignore[no-any-return]
            messages.append(said)
            for call in said.tool_calls:
                given = TOOLS[call.function.name](**json.loads(call.function.arguments))
                messages.append({"role": "tool", "tool_call_id": call.id, "content": given})

    def structured(self, to: Target, text: str) -> City:
        got = self._ask(to, text, response_format=City)
        return City.model_validate_json(got.choices[0].message.content)

    def picture(self, to: Target, text: str, png: bytes) -> str:
        url = f"data:image/png;base64,{base64.b64encode(png).decode()}"
        content = [
            {"type": "text", "text": text},
            {"type": "image_url", "image_url": {"url": url}},
        ]
        return self._ask(to, content).choices[0].message.content  # type: ignore[no-any-return]

    def refused(self, to: Target) -> Refusal:
        from openai import APIStatusError

        try:
            self.chat(to, "Hello")
        except APIStatusError as error:
            return Refusal(type(error).__name__, error.status_code, str(error))
        raise AssertionError("nothing was raised")

    def leave(self, to: Target, text: str) -> str:
        stream = self._ask(to, text, stream=True)
        first = next(piece for one in stream if (piece := one.choices[0].delta.content))
        stream.close()
        return first  # type: ignore[no-any-return]


class LiteLLMOpenAI(LiteLLM):
    """`openai/...`."""

    name = "litellm-openai"
    dialect = "openai-chat"
    prefix = "openai"
    root = "/v1"


class LiteLLMAnthropic(LiteLLM):
    """`anthropic/...`."""

    name = "litellm-anthropic"
    dialect = "anthropic"
    prefix = "anthropic"


class LiteLLMGoogle(LiteLLM):
    """`gemini/...`."""

    name = "litellm-gemini"
    dialect = "gemini"
    prefix = "gemini"
    root = "/v1beta"
    # With others it puts schemas into the prompt.
    names: ClassVar[dict[str, str]] = {
        "openai-chat": "gemini-2.5-flash",
        "openai-responses": "gemini-2.5-flash-lite",
        "anthropic": "gemini-2.5-pro",
        "gemini": "gemini-2.0-flash",
    }


LITELLM = (LiteLLMOpenAI(), LiteLLMAnthropic(), LiteLLMGoogle())
