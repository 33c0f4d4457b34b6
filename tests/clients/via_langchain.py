"""LangChain's chat models."""

from __future__ import annotations

import base64
import gc
from typing import Any, ClassVar

from clients.contract import TOOLS, City, Client, Refusal, Target


class LangChain(Client):
    """What all of its chat models share."""

    errors: ClassVar[dict[int, str]] = {}

    def _model(self, to: Target) -> Any:
        raise NotImplementedError

    def chat(self, to: Target, text: str) -> tuple[str, tuple[int, int] | None]:
        got = self._model(to).invoke(text)
        return got.text, (got.usage_metadata["input_tokens"], got.usage_metadata["output_tokens"])

    def stream(self, to: Target, text: str) -> list[str]:
        return [piece for chunk in self._model(to).stream(text) if (piece := chunk.text)]

    def tools(self, to: Target, text: str) -> str:
        return self._converse(to, text, lambda model, messages: model.invoke(messages))

    def tools_streamed(self, to: Target, text: str) -> str:
        def streamed(model: Any, messages: list[Any]) -> Any:
            first, *others = model.stream(messages)
            for chunk in others:
                first += chunk
            return first

        return self._converse(to, text, streamed)

    def _converse(self, to: Target, text: str, ask: Any) -> str:
        from langchain_core.messages import HumanMessage
        from langchain_core.tools import tool

        tools = {name: tool(function) for name, function in TOOLS.items()}
        model = self._model(to).bind_tools(list(tools.values()))
        messages: list[Any] = [HumanMessage(text)]
        while (said := ask(model, messages)).tool_calls:
            results = [tools[call["name"]].invoke(call) for call in said.tool_calls]
            messages += [said, *results]
        return said.text  # type: ignore[no-any-return]

    def structured(self, to: Target, text: str) -> City:
        found: City = self._model(to).with_structured_output(City).invoke(text)
        return found

    def picture(self, to: Target, text: str, png: bytes) -> str:
        from langchain_core.messages import HumanMessage

        data = base64.b64encode(png).decode()
        picture = {"type": "image", "base64": data, "mime_type": "image/png"}
        content: Any = [{"type": "text", "text": text}, picture]
        return self._model(to).invoke([HumanMessage(content)]).text  # type: ignore[no-any-return]

    def refused(self, to: Target) -> Refusal:
        try:
            self.chat(to, "Hello")
        except Exception as error:
            status = getattr(error, "status_code", None) or getattr(error, "code", None)
            if not isinstance(status, int) and error.__cause__ is not None:
                status = getattr(error.__cause__, "code", None)
            if not isinstance(status, int):
                raise
            return Refusal(type(error).__name__, status, str(error))
        raise AssertionError("nothing was raised")

    def leave(self, to: Target, text: str) -> str:
        stream = self._model(to).stream(text)
        first = next(piece for chunk in stream if (piece := chunk.text))
        stream.close()
        # That lets go of the SDK's stream without closing it, which may be in cycles.
        del stream
        gc.collect()
        return first  # type: ignore[no-any-return]


class LangChainOpenAI(LangChain):
    """`langchain-openai`, which asks Chat Completions."""

    name = "langchain-openai"
    dialect = "openai-chat"
    needs = ("langchain_openai",)

    def _model(self, to: Target) -> Any:
        from langchain_openai import ChatOpenAI

        return ChatOpenAI(
            base_url=f"{to.url}/v1", api_key=to.key, model=to.model, max_retries=0,
            stream_usage=True,
        )  # fmt: skip


class LangChainResponses(LangChainOpenAI):
    """`langchain-openai`, which asks Responses."""

    name = "langchain-openai-responses"
    dialect = "openai-responses"

    def _model(self, to: Target) -> Any:
        from langchain_openai import ChatOpenAI

        return ChatOpenAI(
            base_url=f"{to.url}/v1", api_key=to.key, model=to.model, max_retries=0,
            use_responses_api=True,
        )  # fmt: skip


class LangChainAnthropic(LangChain):
    """`langchain-anthropic`."""

    name = "langchain-anthropic"
    dialect = "anthropic"
    needs = ("langchain_anthropic",)

    def _model(self, to: Target) -> Any:
        from langchain_anthropic import ChatAnthropic

        return ChatAnthropic(base_url=to.url, api_key=to.key, model=to.model, max_retries=0)


class LangChainGoogle(LangChain):
    """`langchain-google-genai`."""

    name = "langchain-google-genai"
    dialect = "gemini"
    needs = ("langchain_google_genai",)

    def _model(self, to: Target) -> Any:
        from langchain_google_genai import ChatGoogleGenerativeAI

        return ChatGoogleGenerativeAI(
            base_url=to.url, google_api_key=to.key, model=to.model, max_retries=1
        )


LANGCHAIN = (LangChainOpenAI(), LangChainResponses(), LangChainAnthropic(), LangChainGoogle())
