"""The guardrails of one request: what they find in it and in its answer, and what is done then."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct

from tierwise.errors import GuardrailBroke, GuardrailRefused, InvalidRequest, TierwiseError
from tierwise.guardrails.base import Guardrail, Side, Span, merged
from tierwise.guardrails.ceilings import Ceilings, Size
from tierwise.guardrails.pieces import Stream
from tierwise.guardrails.placeholders import Placeholders
from tierwise.guardrails.texts import Arguments, Body, Editable
from tierwise.wire.unreadable import UNREADABLE

log = logging.getLogger("tierwise.guardrails")

Action = Literal["note", "mask", "refuse"]
_DONE: dict[Action, str] = {"note": "noted", "mask": "masked", "refuse": "refused"}


class Rule(Struct, frozen=True):
    """One guardrail as it is configured: what it does, and on which sides.

    `refuses_unseen` says whether bodies may go on that cannot be looked into.
    """

    name: str
    action: Action
    sides: frozenset[Side]
    guardrail: Guardrail | Ceilings
    refuses_unseen: bool = False


class Guard:
    """Looks at one request and its answer.

    What is masked has the same placeholder on both sides. `said` says what was found, in words,
    and never shows it. A guardrail that breaks lets nothing pass unless all that it does is to
    note what it finds.

    Args:
        count: told what a guardrail did, by its name.
        version: of the rules.
    """

    def __init__(
        self, rules: Sequence[Rule], count: Callable[[str, str], None], version: str = ""
    ) -> None:
        self.said: tuple[str, ...] = ()
        self.version = version
        self._rules: Mapping[Side, Sequence[Rule]] = {
            "request": [rule for rule in rules if "request" in rule.sides],
            "answer": [rule for rule in rules if "answer" in rule.sides],
        }
        self._count = count
        self._placeholders = Placeholders()

    @property
    def looks_at_answers(self) -> bool:
        """Whether the answer may not be seen before it was looked at."""
        return bool(self._rules["answer"])

    @property
    def looks_at_requests(self) -> bool:
        """Whether a request may not go on before it was looked at."""
        return bool(self._rules["request"])

    async def request(
        self, data: bytes, size: Size | None = None, *, everywhere: bool = False
    ) -> tuple[bytes | None, TierwiseError | None]:
        """The request's body as it may go on, None if as it came; and why it may not, if so.

        Then, too, it is masked: what was refused is in no ledger.

        Args:
            size: how large it is; as large as its words, if nobody knows better.
            everywhere: whether all its values are words, as in an API that is not known here.
        """
        if not self.looks_at_requests:
            return None, None
        try:
            body = Body(msgspec.json.decode(data), "request", everywhere=everywhere)
        except UNREADABLE as unreadable:
            return None, InvalidRequest(f"The body cannot be read as JSON: {unreadable}")
        if size is None:
            size = Size(bytes=len(data), tokens=sum(len(one.text) for one in body.words) // 4)
        error: TierwiseError | None = None
        try:
            await self._look("request", body.words, body.arguments, size)
        except (GuardrailRefused, GuardrailBroke) as raised:
            error = raised
        return (msgspec.json.encode(body.value) if body.changed else None), error

    def unseen(self) -> GuardrailRefused | None:
        """Of a request that cannot be looked into; why it may not go on, if it may not."""
        for rule in self._rules["request"]:
            if rule.refuses_unseen:
                self._count(rule.name, "refused")
                self.said = (*self.said, f"{rule.name} refused what it cannot look into")
                return GuardrailRefused(
                    f"The guardrail {rule.name!r} refused the request: it can look into JSON only. "
                    "Send it as JSON, where the provider takes that.",
                    guardrail=rule.name,
                )
            self._count(rule.name, "unseen")
            self.said = (*self.said, f"{rule.name} could not look into the request")
        return None

    async def answer(self, data: bytes, tokens: int) -> bytes:
        """A whole answer as it may be given.

        Raises:
            GuardrailRefused: it may not be.
            GuardrailBroke: nobody could tell.
        """
        try:
            body = Body(msgspec.json.decode(data), "answer")
        except UNREADABLE as error:
            raise self._unreadable(error) from error
        await self._look("answer", body.words, body.arguments, _size(data, tokens))
        if not body.changed:
            return data
        body.without_logprobs()
        if body.thinks_otherwise:
            body.without_signatures()
        return msgspec.json.encode(body.value)

    async def stream(self, blocks: Sequence[bytes], tokens: int) -> Sequence[bytes]:
        """The blocks of a whole stream as they may be given; raises as `answer` does."""
        try:
            stream = Stream(blocks)
        except UNREADABLE as error:
            raise self._unreadable(error) from error
        size = _size(b"".join(blocks), tokens)
        await self._look("answer", stream.words, stream.arguments, size)
        if not any(one.changed for one in (*stream.words, *stream.arguments)):
            return blocks
        return stream.written()

    def shown(self, text: str) -> str:
        """A text of the same request or answer, with what was masked in it masked there."""
        return self._placeholders.shown(text)

    async def _look(
        self,
        side: Side,
        words: Sequence[Editable],
        calls: Sequence[Editable],
        size: Size,
    ) -> None:
        arguments = [Arguments(one) for one in calls]
        texts = [*words, *(word for one in arguments for word in one.words)]
        chars = sum(len(one.text) for one in texts)
        size = msgspec.structs.replace(size, chars=chars)
        try:
            for rule in self._rules[side]:
                if isinstance(rule.guardrail, Ceilings):
                    self._weigh(rule, rule.guardrail.over(size), side)
                else:
                    await self._apply(rule, rule.guardrail, side, texts)
        finally:
            for one in arguments:
                one.flush()

    def _weigh(self, rule: Rule, over: Sequence[str], side: Side) -> None:
        if not over:
            return
        self._say(rule, f"{', '.join(over)} in the {side}")
        if rule.action == "refuse":
            raise GuardrailRefused(
                f"The guardrail {rule.name!r} refused the {side}: it has {' and '.join(over)}. "
                f"{_SMALLER[side]}",
                guardrail=rule.name,
            )

    async def _apply(
        self, rule: Rule, guardrail: Guardrail, side: Side, texts: Sequence[Any]
    ) -> None:
        try:
            spans = [merged(one) for one in await guardrail.look(texts)]
        except Exception as error:  # noqa: BLE001 - counted and told
            self._broke(rule, side, error)
            return
        found: dict[str, set[str]] = {}
        first = ""
        for text, some in zip(texts, spans, strict=True):
            for span in some:
                found.setdefault(span.label, set()).add(text.text[span.start : span.end])
                first = first or _field(text)
            if some and rule.action != "note":
                text.put([self._edit(text.text, span) for span in some])
        if not found:
            return
        things = ", ".join(_counted(label, len(values)) for label, values in found.items())
        self._say(rule, f"{things} in the {side}")
        if rule.action == "refuse":
            raise GuardrailRefused(
                f"The guardrail {rule.name!r} refused the {side}: it has {things} in it. "
                f"{_OTHERWISE[side]}",
                guardrail=rule.name,
                param=first or None,
            )

    def _unreadable(self, error: Exception) -> GuardrailBroke:
        """Of an answer that no guardrail can look at."""
        name = self._rules["answer"][0].name
        self._count(name, "broke")
        self.said = (*self.said, f"{name} could not read the answer")
        return GuardrailBroke(
            f"The guardrail {name!r} could not read the answer ({type(error).__name__}), so it may "
            "not go on. Send the request again.",
            guardrail=name,
        )

    def _edit(self, text: str, span: Span) -> tuple[int, int, str]:
        value = text[span.start : span.end]
        return span.start, span.end, self._placeholders.of(span.label, value)

    def _say(self, rule: Rule, what: str) -> None:
        done = _DONE[rule.action]
        self._count(rule.name, done)
        self.said = (*self.said, f"{rule.name} {done} {what}")

    def _broke(self, rule: Rule, side: Side, error: Exception) -> None:
        """A guardrail could not look.

        Raises:
            GuardrailBroke: what it was to look at may not go on.
        """
        self._count(rule.name, "broke")
        why = "it took too long" if isinstance(error, TimeoutError) else type(error).__name__
        log.warning("guardrail %s broke: %s: %s", rule.name, type(error).__name__, error)
        self.said = (*self.said, f"{rule.name} could not look at the {side}: {why}")
        if rule.action != "note":
            raise GuardrailBroke(
                f"The guardrail {rule.name!r} could not look at the {side} ({why}), so it may not "
                "go on. Send the request again later; the gateway's log says more.",
                guardrail=rule.name,
            ) from error


_SMALLER: Mapping[Side, str] = {
    "request": "Send less, or ask for a shorter answer.",
    "answer": "Ask for a shorter one.",
}
_OTHERWISE: Mapping[Side, str] = {
    "request": "Take it out and send the request again.",
    "answer": "Ask for an answer without it.",
}


def _size(data: bytes, tokens: int) -> Size:
    return Size(bytes=len(data), tokens=tokens)


def _field(text: Any) -> str:
    """The field of the body that a text stands in; "" for pieces of a stream."""
    path = getattr(text, "path", ())
    return str(path[0]) if path else ""


def _counted(label: str, count: int) -> str:
    ending = "" if count == 1 else "es" if label.endswith("s") else "s"
    return f"{count} {label}{ending}"
