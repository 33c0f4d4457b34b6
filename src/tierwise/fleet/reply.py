"""Which words answer a request: those of its task, or a canned answer that says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from tierwise.fleet.chat import ChatRequest, Refused
from tierwise.fleet.schema import instance
from tierwise.fleet.source import FleetModel, Said, Source, count_tokens
from tierwise.fleet.speak import shorten
from tierwise.fleet.unfinished import gone_on, unfinished


class Replies:
    """Finds what a model says to a request."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._by_name = {
            name: model for model in source.models.values() for name in (model.id, model.upstream)
        }

    def model(self, request: ChatRequest, provider: str) -> FleetModel:
        """The model that a request names.

        Raises:
            Refused: 404, this provider does not serve it.
        """
        model = self._by_name.get(request.model)
        if model is None or provider not in model.homes:
            raise Refused(
                404,
                f"The model `{request.model}` does not exist or you do not have access to it.",
                param="model",
                code="model_not_found",
            )
        return model

    def said(self, request: ChatRequest, model: FleetModel, repeated: int = 0) -> list[Said]:
        """One for each choice that is wanted.

        Args:
            repeated: how many words are said again of an answer that is to be continued.

        Raises:
            Refused: 400, the prompt is longer than the model's context window.
        """
        sent = count_tokens("x" * request.chars)
        if sent > model.context_window:
            raise Refused(
                400,
                f"This model's maximum context length is {model.context_window} tokens. However, "
                f"your messages resulted in {sent} tokens. Please reduce their length.",
                param="messages",
                code="context_length_exceeded",
            )
        item = self._source.find(request.prompt)
        cut_off = unfinished(request) if item is None else None
        if cut_off is not None:
            item = self._source.find(cut_off.prompt)
        choices = range(request.n or 1)
        if item is None:
            said = [_canned(self._source, request, model)] * len(choices)
        else:
            said = [self._source.said(item, model.id, choice) for choice in choices]
        if cut_off is not None:
            said = [gone_on(one, cut_off, repeated, model) for one in said]
        if request.limit is not None:
            said = [shorten(one, request.limit, model) for one in said]
        return said


def _canned(source: Source, request: ChatRequest, model: FleetModel) -> Said:
    """An answer that claims nothing, in the form that was asked for."""
    text = source.unknown(model.id, request.prompt)
    said = Said(
        text=text,
        input_tokens=count_tokens("x" * request.chars),
        output_tokens=count_tokens(text),
        confidence=0.5,
    )
    tool = _tool(request)
    if tool is not None:
        name, parameters = tool
        return _as_json(replace(said, tool=name), parameters)
    wanted = request.response_format
    if wanted is not None and wanted.type == "json_schema" and wanted.json_schema is not None:
        return _as_json(said, wanted.json_schema.schema or {})
    if wanted is not None and wanted.type == "json_object":
        return replace(said, text=msgspec.json.encode({"answer": text}).decode())
    return said


def _as_json(said: Said, schema: Mapping[str, Any]) -> Said:
    value = instance(schema)
    text = msgspec.json.encode({} if value is None else value).decode()
    return replace(said, text=text, output_tokens=count_tokens(text))


def _tool(request: ChatRequest) -> tuple[str, dict[str, Any]] | None:
    """The tool that a canned answer calls: the one that was chosen, else the first."""
    if not request.tools or request.tool_choice == "none" or request.messages[-1].role == "tool":
        return None
    functions = {tool.function.name: tool.function for tool in request.tools}
    chosen = request.tool_choice
    if isinstance(chosen, dict):
        name = str((chosen.get("function") or {}).get("name"))
        if name not in functions:
            raise Refused(400, f"Tool choice {name!r} is not among `tools`.", param="tool_choice")
        return name, functions[name].parameters
    first = request.tools[0].function
    return first.name, first.parameters
