"""LlamaIndex's LLMs."""

from __future__ import annotations

import gc
from typing import Any, ClassVar

from clients.contract import MODELS, TOOLS, City, Client, Refusal, Target


class LlamaIndex(Client):
    """What all of its LLMs share."""

    def _model(self, to: Target) -> Any:
        raise NotImplementedError

    def _asked(self, text: str) -> list[Any]:
        from llama_index.core.llms import ChatMessage

        return [ChatMessage(role="user", content=text)]

    def chat(self, to: Target, text: str) -> tuple[str, tuple[int, int] | None]:
        got = self._model(to).chat(self._asked(text))
        return got.message.content, None

    def stream(self, to: Target, text: str) -> list[str]:
        return [one.delta for one in self._model(to).stream_chat(self._asked(text)) if one.delta]

    def tools(self, to: Target, text: str) -> str:
        def whole(model: Any, tools: Any, messages: list[Any]) -> Any:
            return model.chat_with_tools(
                tools, chat_history=messages, allow_parallel_tool_calls=True
            )

        return self._converse(to, text, whole)

    def tools_streamed(self, to: Target, text: str) -> str:
        def streamed(model: Any, tools: Any, messages: list[Any]) -> Any:
            *_, last = model.stream_chat_with_tools(
                tools, chat_history=messages, allow_parallel_tool_calls=True
            )
            return last

        return self._converse(to, text, streamed)

    def _converse(self, to: Target, text: str, ask: Any) -> str:
        from llama_index.core.llms import ChatMessage
        from llama_index.core.tools import FunctionTool

        tools = {name: FunctionTool.from_defaults(function) for name, function in TOOLS.items()}
        model, messages = self._model(to), self._asked(text)
        while True:
            said = ask(model, list(tools.values()), messages)
            calls = model.get_tool_calls_from_response(said, error_on_no_tool_call=False)
            if not calls:
                return said.message.content  # type: ignore[no-any-return]
            messages.append(said.message)
            for call in calls:
                given = str(tools[call.tool_name](**call.tool_kwargs))
                kwargs = {"tool_call_id": call.tool_id, "name": call.tool_name}
                messages.append(ChatMessage(role="tool", content=given, additional_kwargs=kwargs))

    def structured(self, to: Target, text: str) -> City:
        from llama_index.core.prompts import PromptTemplate

        found: City = self._model(to).structured_predict(City, PromptTemplate(text))
        return found

    def picture(self, to: Target, text: str, png: bytes) -> str:
        from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock

        blocks = [TextBlock(text=text), ImageBlock(image=png, image_mimetype="image/png")]
        got = self._model(to).chat([ChatMessage(role="user", blocks=blocks)])
        return got.message.content  # type: ignore[no-any-return]

    def refused(self, to: Target) -> Refusal:
        try:
            self.chat(to, "Hello")
        except Exception as error:
            status = getattr(error, "status_code", None) or getattr(error, "code", None)
            if not isinstance(status, int):
                raise
            return Refusal(type(error).__name__, status, str(error))
        raise AssertionError("nothing was raised")

    def leave(self, to: Target, text: str) -> str:
        stream = self._model(to).stream_chat(self._asked(text))
        first = next(one.delta for one in stream if one.delta)
        stream.close()
        # That lets go of the SDK's stream without closing it, which may be in cycles.
        del stream
        gc.collect()
        return first  # type: ignore[no-any-return]


class LlamaIndexOpenAI(LlamaIndex):
    """`llama-index-llms-openai-like`, the class for servers that speak as OpenAI does."""

    name = "llamaindex-openai"
    dialect = "openai-chat"
    needs = ("llama_index.llms.openai_like",)

    def _model(self, to: Target) -> Any:
        from llama_index.llms.openai_like import OpenAILike

        return OpenAILike(
            api_base=f"{to.url}/v1",
            api_key=to.key,
            model=to.model,
            is_chat_model=True,
            is_function_calling_model=True,
            max_retries=0,
        )


_KNOWN = (
    *("claude-3-haiku-20240307", "claude-3-7-sonnet-20250219", "claude-3-5-haiku-20241022"),
    *("claude-3-haiku-latest", "claude-3-7-sonnet-latest", "claude-3-5-haiku-latest"),
    *("claude-opus-4-0", "claude-opus-4-20250514", "claude-haiku-4-5"),
    *("claude-sonnet-4-0", "claude-sonnet-4-20250514", "claude-4-sonnet-20250514"),
    *("claude-opus-4-1", "claude-opus-4-1-20250805", "claude-sonnet-4-5", "claude-4-opus-20250514"),
    "claude-opus-4-5",
)
"""Models that it takes, since it wants to know their windows; the last one is not served."""


class LlamaIndexAnthropic(LlamaIndex):
    """`llama-index-llms-anthropic`."""

    name = "llamaindex-anthropic"
    names: ClassVar[dict[str, str]] = dict(zip(MODELS, _KNOWN, strict=True))
    dialect = "anthropic"
    needs = ("llama_index.llms.anthropic",)

    def _model(self, to: Target) -> Any:
        from llama_index.llms.anthropic import Anthropic

        return Anthropic(base_url=to.url, api_key=to.key, model=to.model, max_retries=0)


class LlamaIndexGoogle(LlamaIndex):
    """`llama-index-llms-google-genai`, which asks for the model first."""

    name = "llamaindex-google-genai"
    dialect = "gemini"
    needs = ("llama_index.llms.google_genai",)

    def _model(self, to: Target) -> Any:
        from llama_index.llms.google_genai import GoogleGenAI

        return GoogleGenAI(
            api_key=to.key, model=to.model, max_retries=0, http_options={"base_url": to.url}
        )


LLAMAINDEX = (LlamaIndexOpenAI(), LlamaIndexAnthropic(), LlamaIndexGoogle())
