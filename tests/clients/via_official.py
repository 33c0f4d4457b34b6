"""The makers' own SDKs for Python."""

from __future__ import annotations

import base64
import json
from typing import Any, ClassVar

from clients.contract import PARAMETERS, TOOLS, City, Client, Refusal, Target


class OpenAIChat(Client):
    """Chat Completions of `openai`."""

    name = "openai-python-chat"
    dialect = "openai-chat"
    needs = ("openai",)
    errors: ClassVar[dict[int, str]] = {
        400: "BadRequestError",
        401: "AuthenticationError",
        404: "NotFoundError",
        429: "RateLimitError",
    }

    def _client(self, to: Target) -> Any:
        from openai import OpenAI

        return OpenAI(base_url=f"{to.url}/v1", api_key=to.key, max_retries=0)

    def _tools(self) -> list[Any]:
        return [
            {
                "type": "function",
                "function": {"name": name, "parameters": PARAMETERS, "strict": True},
            }
            for name in TOOLS
        ]

    def chat(self, to: Target, text: str) -> tuple[str, tuple[int, int] | None]:
        messages = [{"role": "user", "content": text}]
        with self._client(to) as client:
            got = client.chat.completions.create(model=to.model, messages=messages)
        tokens = got.usage.prompt_tokens, got.usage.completion_tokens
        return got.choices[0].message.content, tokens

    def stream(self, to: Target, text: str) -> list[str]:
        messages = [{"role": "user", "content": text}]
        with self._client(to) as client:
            chunks = client.chat.completions.create(model=to.model, messages=messages, stream=True)
            return [piece for chunk in chunks if (piece := chunk.choices[0].delta.content)]

    def tools(self, to: Target, text: str) -> str:
        return self._converse(to, text, self._whole)

    def tools_streamed(self, to: Target, text: str) -> str:
        return self._converse(to, text, self._streamed)

    def _converse(self, to: Target, text: str, ask: Any) -> str:
        messages: list[Any] = [{"role": "user", "content": text}]
        with self._client(to) as client:
            while (said := ask(client, to.model, messages)).tool_calls:
                messages.append(said)
                for call in said.tool_calls:
                    given = TOOLS[call.function.name](**json.loads(call.function.arguments))
                    messages.append({"role": "tool", "tool_call_id": call.id, "content": given})
        return said.content  # type: ignore[no-any-return]

    def _whole(self, client: Any, model: str, messages: list[Any]) -> Any:
        got = client.chat.completions.create(model=model, messages=messages, tools=self._tools())
        return got.choices[0].message

    def _streamed(self, client: Any, model: str, messages: list[Any]) -> Any:
        with client.chat.completions.stream(
            model=model, messages=messages, tools=self._tools()
        ) as stream:
            for _ in stream:
                pass
            return stream.get_final_completion().choices[0].message

    def structured(self, to: Target, text: str) -> City:
        messages = [{"role": "user", "content": text}]
        with self._client(to) as client:
            got = client.chat.completions.parse(
                model=to.model, messages=messages, response_format=City
            )
        found: City = got.choices[0].message.parsed
        return found

    def picture(self, to: Target, text: str, png: bytes) -> str:
        url = f"data:image/png;base64,{base64.b64encode(png).decode()}"
        content = [
            {"type": "text", "text": text},
            {"type": "image_url", "image_url": {"url": url}},
        ]
        with self._client(to) as client:
            got = client.chat.completions.create(
                model=to.model, messages=[{"role": "user", "content": content}]
            )
        return got.choices[0].message.content  # type: ignore[no-any-return]

    def refused(self, to: Target) -> Refusal:
        from openai import APIStatusError

        try:
            self.chat(to, "Hello")
        except APIStatusError as error:
            return Refusal(type(error).__name__, error.status_code, error.message)
        raise AssertionError("nothing was raised")

    def leave(self, to: Target, text: str) -> str:
        messages = [{"role": "user", "content": text}]
        with (
            self._client(to) as client,
            client.chat.completions.create(
                model=to.model, messages=messages, stream=True
            ) as stream,
        ):
            return next(piece for chunk in stream if (piece := chunk.choices[0].delta.content))


class OpenAIResponses(OpenAIChat):
    """Responses of `openai`."""

    name = "openai-python-responses"
    dialect = "openai-responses"

    def _tools(self) -> list[Any]:
        return [
            {"type": "function", "name": name, "parameters": PARAMETERS, "strict": True}
            for name in TOOLS
        ]

    def chat(self, to: Target, text: str) -> tuple[str, tuple[int, int] | None]:
        with self._client(to) as client:
            got = client.responses.create(model=to.model, input=text)
        return got.output_text, (got.usage.input_tokens, got.usage.output_tokens)

    def stream(self, to: Target, text: str) -> list[str]:
        with self._client(to) as client:
            events = client.responses.create(model=to.model, input=text, stream=True)
            return [one.delta for one in events if one.type == "response.output_text.delta"]

    def _converse(self, to: Target, text: str, ask: Any) -> str:
        items: list[Any] = [{"role": "user", "content": text}]
        with self._client(to) as client:
            while True:
                said = ask(client, to.model, items)
                calls = [one for one in said.output if one.type == "function_call"]
                if not calls:
                    return said.output_text  # type: ignore[no-any-return]
                items += said.output
                for call in calls:
                    given = TOOLS[call.name](**json.loads(call.arguments))
                    result = {"type": "function_call_output", "call_id": call.call_id}
                    items.append({**result, "output": given})

    def _whole(self, client: Any, model: str, messages: list[Any]) -> Any:
        return client.responses.create(model=model, input=messages, tools=self._tools())

    def _streamed(self, client: Any, model: str, messages: list[Any]) -> Any:
        with client.responses.stream(model=model, input=messages, tools=self._tools()) as stream:
            for _ in stream:
                pass
            return stream.get_final_response()

    def structured(self, to: Target, text: str) -> City:
        with self._client(to) as client:
            got = client.responses.parse(model=to.model, input=text, text_format=City)
        found: City = got.output_parsed
        return found

    def picture(self, to: Target, text: str, png: bytes) -> str:
        url = f"data:image/png;base64,{base64.b64encode(png).decode()}"
        content = [
            {"type": "input_text", "text": text},
            {"type": "input_image", "image_url": url, "detail": "auto"},
        ]
        with self._client(to) as client:
            got = client.responses.create(
                model=to.model, input=[{"role": "user", "content": content}]
            )
        return got.output_text  # type: ignore[no-any-return]

    def leave(self, to: Target, text: str) -> str:
        with (
            self._client(to) as client,
            client.responses.create(model=to.model, input=text, stream=True) as stream,
        ):
            return next(one.delta for one in stream if one.type == "response.output_text.delta")


class Anthropic(Client):
    """Messages of `anthropic`."""

    name = "anthropic-python"
    dialect = "anthropic"
    needs = ("anthropic",)
    errors = OpenAIChat.errors

    def _client(self, to: Target) -> Any:
        from anthropic import Anthropic as Sdk

        return Sdk(base_url=to.url, api_key=to.key, max_retries=0)

    def _asked(self, to: Target, content: Any) -> dict[str, Any]:
        messages = [{"role": "user", "content": content}]
        return {"model": to.model, "max_tokens": 300, "messages": messages}

    def chat(self, to: Target, text: str) -> tuple[str, tuple[int, int] | None]:
        with self._client(to) as client:
            got = client.messages.create(**self._asked(to, text))
        used = got.usage
        read = used.input_tokens + (used.cache_read_input_tokens or 0)
        return got.content[0].text, (read, used.output_tokens)

    def stream(self, to: Target, text: str) -> list[str]:
        with (
            self._client(to) as client,
            client.messages.stream(**self._asked(to, text)) as stream,
        ):
            return list(stream.text_stream)

    def tools(self, to: Target, text: str) -> str:
        return self._converse(to, text, streamed=False)

    def tools_streamed(self, to: Target, text: str) -> str:
        return self._converse(to, text, streamed=True)

    def _converse(self, to: Target, text: str, *, streamed: bool) -> str:
        asked = self._asked(to, text)
        asked["tools"] = [{"name": name, "input_schema": PARAMETERS} for name in TOOLS]
        with self._client(to) as client:
            while True:
                if streamed:
                    with client.messages.stream(**asked) as stream:
                        said = stream.get_final_message()
                else:
                    said = client.messages.create(**asked)
                calls = [block for block in said.content if block.type == "tool_use"]
                assert (said.stop_reason == "tool_use") == bool(calls)
                if not calls:
                    return said.content[0].text  # type: ignore[no-any-return]
                results = [
                    {
                        "type": "tool_result",
                        "tool_use_id": one.id,
                        "content": TOOLS[one.name](**one.input),
                    }
                    for one in calls
                ]
                asked["messages"] += [
                    {"role": "assistant", "content": said.content},
                    {"role": "user", "content": results},
                ]

    def structured(self, to: Target, text: str) -> City:
        with self._client(to) as client:
            got = client.messages.parse(**self._asked(to, text), output_format=City)
        found: City = got.parsed_output
        return found

    def picture(self, to: Target, text: str, png: bytes) -> str:
        data = base64.b64encode(png).decode()
        source = {"type": "base64", "media_type": "image/png", "data": data}
        content = [{"type": "image", "source": source}, {"type": "text", "text": text}]
        with self._client(to) as client:
            return client.messages.create(**self._asked(to, content)).content[0].text  # type: ignore[no-any-return]

    def refused(self, to: Target) -> Refusal:
        from anthropic import APIStatusError

        try:
            self.chat(to, "Hello")
        except APIStatusError as error:
            return Refusal(type(error).__name__, error.status_code, str(error))
        raise AssertionError("nothing was raised")

    def leave(self, to: Target, text: str) -> str:
        with (
            self._client(to) as client,
            client.messages.stream(**self._asked(to, text)) as stream,
        ):
            return next(iter(stream.text_stream))  # type: ignore[no-any-return]


class GoogleGenai(Client):
    """`google-genai`, which calls tools by itself."""

    name = "google-genai-python"
    dialect = "gemini"
    needs = ("google.genai",)
    errors: ClassVar[dict[int, str]] = {
        400: "ClientError",
        401: "ClientError",
        404: "ClientError",
        429: "ClientError",
    }

    def _client(self, to: Target) -> Any:
        from google import genai

        return genai.Client(
            api_key=to.key,
            http_options={"base_url": to.url, "retry_options": {"attempts": 1}},
        )

    def chat(self, to: Target, text: str) -> tuple[str, tuple[int, int] | None]:
        with self._client(to) as client:
            got = client.models.generate_content(model=to.model, contents=text)
        used = got.usage_metadata
        written = used.candidates_token_count + (used.thoughts_token_count or 0)
        return got.text, (used.prompt_token_count, written)

    def stream(self, to: Target, text: str) -> list[str]:
        with self._client(to) as client:
            chunks = client.models.generate_content_stream(model=to.model, contents=text)
            return [chunk.text for chunk in chunks if chunk.text]

    def tools(self, to: Target, text: str) -> str:
        config = {"tools": list(TOOLS.values())}
        with self._client(to) as client:
            got = client.models.generate_content(model=to.model, contents=text, config=config)
        return got.text  # type: ignore[no-any-return]

    def tools_streamed(self, to: Target, text: str) -> str:
        from google.genai import types

        declared: Any = [{"name": name, "parameters_json_schema": PARAMETERS} for name in TOOLS]
        tool = types.Tool(function_declarations=declared)
        config = types.GenerateContentConfig(tools=[tool])
        contents: list[Any] = [types.Content(role="user", parts=[types.Part(text=text)])]
        with self._client(to) as client:
            while True:
                chunks = client.models.generate_content_stream(
                    model=to.model, contents=contents, config=config
                )
                parts = [
                    part
                    for chunk in chunks
                    if chunk.candidates and chunk.candidates[0].content
                    for part in chunk.candidates[0].content.parts or ()
                ]
                calls = [part.function_call for part in parts if part.function_call]
                if not calls:
                    return "".join(part.text or "" for part in parts)
                results = [
                    types.FunctionResponse(
                        id=one.id, name=one.name, response={"result": TOOLS[one.name](**one.args)}
                    )
                    for one in calls
                ]
                given = [types.Part(function_response=one) for one in results]
                contents += [
                    types.Content(role="model", parts=parts),
                    types.Content(role="user", parts=given),
                ]

    def structured(self, to: Target, text: str) -> City:
        config = {"response_mime_type": "application/json", "response_schema": City}
        with self._client(to) as client:
            got = client.models.generate_content(model=to.model, contents=text, config=config)
        found: City = got.parsed
        return found

    def picture(self, to: Target, text: str, png: bytes) -> str:
        from google.genai import types

        contents = [types.Part.from_bytes(data=png, mime_type="image/png"), text]
        with self._client(to) as client:
            got = client.models.generate_content(model=to.model, contents=contents)
        return got.text  # type: ignore[no-any-return]

    def refused(self, to: Target) -> Refusal:
        from google.genai.errors import APIError

        try:
            self.chat(to, "Hello")
        except APIError as error:
            return Refusal(type(error).__name__, error.code, str(error))
        raise AssertionError("nothing was raised")

    def leave(self, to: Target, text: str) -> str:
        with self._client(to) as client:
            stream = client.models.generate_content_stream(model=to.model, contents=text)
            first = next(chunk.text for chunk in stream if chunk.text)
            stream.close()
        return first  # type: ignore[no-any-return]


OFFICIAL: tuple[Client, ...] = (OpenAIChat(), OpenAIResponses(), Anthropic(), GoogleGenai())
