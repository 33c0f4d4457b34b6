"""Mistral: of the OpenAI-compatible family, with words of its own in requests."""

from __future__ import annotations

from msgspec.structs import replace

from tierwise.providers.http import HttpRequest
from tierwise.providers.openai_compatible import OpenAICompatible
from tierwise.types import Task
from tierwise.wire.chat.mistral import for_mistral


class Mistral(OpenAICompatible):
    """Asks one deployment at `api.mistral.ai`. Its answers are as those of the family."""

    def request(self, task: Task) -> HttpRequest:
        """The caller's request, without what Mistral refuses, in its words."""
        return super().request(replace(task, body=for_mistral(task.body)))
