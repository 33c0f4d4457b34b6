"""What the library tells without asking a model: counts, lists, what was decided and promised."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Literal, Protocol

import msgspec

from tierwise.answer import encoded
from tierwise.counting import count_anthropic, count_gemini, count_responses
from tierwise.errors import InvalidRequest, UnknownDecision
from tierwise.following import in_full
from tierwise.ledger import Ledger, with_feedback
from tierwise.listing import Listing, Offers
from tierwise.native import model_of
from tierwise.promised import described
from tierwise.state.kept_responses import KeptResponses
from tierwise.state.promises import Promises

Shape = Literal["openai", "anthropic", "gemini"]
"""Whose SDK reads a list of models."""
_PAGES: Mapping[str, tuple[str, ...]] = {
    "openai": (),
    "anthropic": ("limit", "after_id", "before_id"),
    "gemini": ("pageSize", "pageToken"),
}


class _Keeps(Protocol):
    """What keeps answers: an orchestrator."""

    @property
    def kept_responses(self) -> KeptResponses: ...


class _Remembers(Protocol):
    """What has a ledger: an orchestrator."""

    ledger: Ledger


class _Promises(Protocol):
    """What has certificates: an orchestrator."""

    promises: Promises


class Telling:
    """Calls that are named as in the SDK whose words they use, with `_` for its dots.

    Tokens are counted as routing counts them, which is an estimate.
    """

    async def messages_count_tokens(self, **given: Any) -> dict[str, Any]:
        """The `input_tokens` of a body of Anthropic's Messages, which needs no `max_tokens`.

        Raises:
            InvalidRequest: a parameter cannot be used, here and below.
        """
        return {**count_anthropic(encoded({**given, "model": model_of(given)}))}

    async def responses_input_tokens(self: _Keeps, **given: Any) -> dict[str, Any]:
        """The `input_tokens` of a body of OpenAI's Responses, and of what it goes on from."""
        body = encoded({**given, "model": model_of(given)})
        return {**count_responses(await in_full(body, self.kept_responses, None))}

    async def count_tokens(self, **given: Any) -> dict[str, Any]:
        """The `totalTokens` of a body of Gemini's countTokens, with `model` beside its fields."""
        model_of(given)
        body = {name: value for name, value in given.items() if name != "model"}
        return {**count_gemini(encoded(body))}

    async def models_list(self: Offers, shape: Shape = "openai", **page: Any) -> dict[str, Any]:
        """The policies and models that a request may name.

        Args:
            shape: whose SDK is to read it.
            page: which part: `limit`, `after_id`, `before_id` in Anthropic's shape, `pageSize` and
                `pageToken` in Gemini's. OpenAI's has all.

        Raises:
            InvalidRequest: an argument cannot be used.
        """
        known = _PAGES[_known(shape)]
        for name in page:
            if name not in known:
                raise InvalidRequest(
                    f"`{name}` is no part of {shape}'s list of models. It takes "
                    f"{', '.join(known) or 'nothing'}.",
                    param=name,
                )
        listing = Listing(self)
        query = {name: str(value) for name, value in page.items() if value is not None}
        if shape == "anthropic":
            return listing.anthropic(query)
        return listing.gemini(query) if shape == "gemini" else listing.openai()

    async def models_retrieve(self: Offers, model: str, shape: Shape = "openai") -> dict[str, Any]:
        """One entry of `models_list`: of a policy, a model or `provider/model`.

        Raises:
            UnknownModel: it is none of them.
            InvalidRequest: an argument cannot be used.
        """
        _known(shape)
        name = model_of({"model": model})
        listing = Listing(self)
        if shape == "anthropic":
            return listing.anthropic_one(name)
        return listing.gemini_one(name) if shape == "gemini" else listing.openai_one(name)

    async def decision(self: _Remembers, decision_id: str) -> dict[str, Any]:
        """How a request went and was decided, with the `feedback` on its answer, once it is over;
        for embeddings, and what was passed through, what the ledger has of that.

        Args:
            decision_id: `answer.decision.id`, the `decision_id` of vectors and of what was passed
                through, or the header `x-tierwise-decision-id`.

        Raises:
            UnknownDecision: the ledger has none of this id.
            DecisionUnreadable: its record there is damaged.
        """
        record = await asyncio.to_thread(self.ledger.get, _text("decision_id", decision_id))
        if record is None:
            aside = await asyncio.to_thread(_aside, self.ledger, decision_id)
            if aside is not None:
                return aside
            raise UnknownDecision(
                f"There is no decision {decision_id!r}. It is known once its answer has ended.",
                param="decision_id",
            )
        opinions = await asyncio.to_thread(self.ledger.feedback, decision_id)
        told: dict[str, Any] = msgspec.json.decode(with_feedback(record, opinions))
        return told

    async def certificates(self: _Promises) -> dict[str, Any]:
        """What is promised under each policy that has a certificate, and whether it holds."""
        told: dict[str, Any] = msgspec.json.decode(
            msgspec.json.encode(described(self.promises.all))
        )
        return told


def _aside(ledger: Ledger, name: str) -> dict[str, Any] | None:
    """A request that is for no answer, be it written yet or not; None if there is none."""
    found = ledger.aside(name)
    if found is None and ledger.flush():
        found = ledger.aside(name)
    told: dict[str, Any] | None = msgspec.json.decode(msgspec.json.encode(found))
    return told


def _text(name: str, value: object) -> str:
    """A text that the ledger can be asked for.

    Raises:
        InvalidRequest: it is none.
    """
    if not isinstance(value, str) or any("\ud800" <= one <= "\udfff" for one in value):
        raise InvalidRequest(f"`{name}` is {value!r}; it must be a text.", param=name)
    return value


def _known(shape: Shape) -> Shape:
    if shape not in _PAGES:
        raise InvalidRequest(
            f"`shape` is {shape!r}. Use one of: {', '.join(_PAGES)}.", param="shape"
        )
    return shape
