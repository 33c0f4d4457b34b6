"""All clients that are tested."""

from __future__ import annotations

from clients.contract import Client
from clients.via_instructor import INSTRUCTOR
from clients.via_langchain import LANGCHAIN
from clients.via_litellm import LITELLM
from clients.via_llamaindex import LLAMAINDEX
from clients.via_node import NODE
from clients.via_official import OFFICIAL
from clients.via_pydantic_ai import PYDANTIC_AI

CLIENTS: tuple[Client, ...] = (
    *OFFICIAL,
    *LANGCHAIN,
    *LLAMAINDEX,
    *PYDANTIC_AI,
    *INSTRUCTOR,
    *LITELLM,
    *NODE,
)
