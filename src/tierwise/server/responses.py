"""OpenAI's Responses as the gateway speaks it: each caller goes on from answers of its own."""

from __future__ import annotations

from tierwise.errors import TierwiseError
from tierwise.following import DIALECT, Following, follow
from tierwise.server.keys import Client
from tierwise.server.request import Scope
from tierwise.server.speech import Exchange, Spoken
from tierwise.state.kept_responses import KeptResponses


class ResponsesSpeech(Spoken):
    """The dialect of `POST /v1/responses`."""

    def __init__(self, kept: KeptResponses) -> None:
        super().__init__(DIALECT)
        self.kept = kept

    async def read(self, body: bytes, scope: Scope, client: Client) -> Exchange:  # noqa: ARG002
        """As in `Speech`; raises `UnknownResponse` where it names an item that is not kept."""
        return ResponsesExchange(self, await follow(body, self.kept, client.name))


class ResponsesExchange(Exchange):
    """One request, whose answer is kept before the client has it."""

    __slots__ = ("_following",)

    def __init__(self, speech: ResponsesSpeech, following: Following) -> None:
        super().__init__(speech, following.task)
        self._following = following

    def whole(self, body: bytes) -> bytes:
        """The answer, which says what it goes on from."""
        return self._following.whole(body)

    def shown(self, block: bytes) -> bytes:
        """The block, in which events say what the answer goes on from."""
        return self._following.shown(block)

    def broken(self, error: TierwiseError) -> bytes:
        """As in `Exchange`, numbered after what was shown."""
        number = b'"sequence_number":%d'
        event = super().broken(error)
        return event.replace(number % 0, number % self._following.next_number(), 1)
