"""The library in the words of OpenAI's Responses, whose answers are kept and gone on from."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from tierwise.answer import Answer
from tierwise.chats import Asks
from tierwise.errors import InvalidRequest
from tierwise.following import DIALECT, Following, follow, forgotten, found, listed
from tierwise.native import Asked, EventStream, asked_of
from tierwise.state.kept_responses import KeptResponses

_NOBODY = None
"""The library has one caller, who needs no name."""


class _Keeps(Protocol):
    """What keeps answers: an orchestrator."""

    @property
    def kept_responses(self) -> KeptResponses: ...


class _Responds(Asks, _Keeps, Protocol):
    """What answers and keeps."""


class Responding:
    """Calls that are named as in OpenAI's SDK, with `_` for its dots.

    `responses` and `responses_stream` take what `messages` does beside their bodies. Unless
    `store=False`, the answer is kept for a day, within 64 MiB, as long as this orchestrator lives.
    """

    async def responses(self: _Responds, **given: Any) -> Answer:
        """The answer to a body of OpenAI's Responses; its `json()` is a response.

        Unless `store=False`, it is kept for a day, within 64 MiB of such answers, as long as this
        orchestrator lives.

        Args:
            given: the fields of the body, and what may stand beside them, as for
                `Orchestrator.messages`, but for `betas`.

        Raises:
            TierwiseError: as `Orchestrator.chat`; `InvalidRequest` with the code
                `previous_response_not_found`, and `UnknownResponse` for an `item_reference`, where
                it goes on from what is not kept.
        """
        asked, following = await _followed(self, given, stream=False)
        answered = await self.answer(asked.task(following.task))
        answered.body = following.whole(answered.body)
        return Answer.of(answered)

    async def responses_stream(self: _Responds, **given: Any) -> EventStream:
        """As `responses`, event by event: `response.created` and what follows.

        It is kept once its last event is read.
        """
        asked, following = await _followed(self, given, stream=True)
        return EventStream(await self.stream(asked.task(following.task)), following.shown)

    async def responses_retrieve(self: _Keeps, response_id: str) -> dict[str, Any]:
        """A kept answer as it was given.

        Raises:
            UnknownResponse: none of this id is kept.
        """
        kept = await found(self.kept_responses, _NOBODY, _name(response_id))
        response: dict[str, Any] = msgspec.json.decode(kept.response)
        return response

    async def responses_delete(self: _Keeps, response_id: str) -> dict[str, Any]:
        """Forgets a kept answer; what comes back has `deleted`.

        Raises:
            UnknownResponse: none of this id is kept.
        """
        return await forgotten(self.kept_responses, _NOBODY, _name(response_id))

    async def responses_input_items(
        self: _Keeps,
        response_id: str,
        *,
        after: str | None = None,
        limit: int | None = None,
        order: str | None = None,
    ) -> dict[str, Any]:
        """A page of the items that a kept answer is an answer to, those of earlier requests too.

        Args:
            after: the id of the item after which the page begins.
            limit: items of the page, from 1 to 100; 20 if None.
            order: "desc", the latest first, or "asc"; the first if None.

        Raises:
            UnknownResponse: none of this id is kept.
            InvalidRequest: an argument cannot be used.
        """
        kept = await found(self.kept_responses, _NOBODY, _name(response_id))
        query = {"after": after, "limit": limit, "order": order}
        page = listed(kept, {name: str(one) for name, one in query.items() if one is not None})
        decoded: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(page))
        return decoded


async def _followed(
    responds: _Responds, given: dict[str, Any], *, stream: bool
) -> tuple[Asked, Following]:
    asked = asked_of(responds, DIALECT, given, stream=stream)
    return asked, await follow(asked.body, responds.kept_responses, _NOBODY)


def _name(response_id: object) -> str:
    if not isinstance(response_id, str):
        raise InvalidRequest(
            f"`response_id` is {response_id!r}; it must be a string.", param="response_id"
        )
    return response_id
