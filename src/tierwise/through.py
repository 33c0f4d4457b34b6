"""What the library passes through to one provider as it is, and the provider's own answer."""

from __future__ import annotations

import asyncio
import warnings
import weakref
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlencode

import msgspec
from msgspec.structs import replace

from tierwise.answer import encoded
from tierwise.config import Setup
from tierwise.errors import Closed, InvalidRequest, Unsatisfiable
from tierwise.forms import Field, Sending, form_body, plain_body
from tierwise.ledger import Ledger, Told
from tierwise.passed_on import Passage
from tierwise.passing import Places, clean, family_of, kind_of, model_in
from tierwise.providers.passthrough import Passages, Passed, PassedAnswer
from tierwise.types import Deployment
from tierwise.wire.compression import NotCompressed, TooLarge, UnknownCoding, inflated

if TYPE_CHECKING:
    from tierwise.guarded import Guarded

_PARAM = "provider"
_REMEDY = "Name the provider as `provider`, or as `provider/model` in `json`."
_MOST_UNPACKED = 1 << 30
_IN_PATHS = "/:@!$&'()*+,;=~%"


@dataclass(frozen=True, slots=True)
class PassedThrough:
    """What a provider answered, be it an error of its own: look at `status`."""

    provider: str
    status: int
    headers: Mapping[str, str]
    """By their names in small letters."""
    body: bytes
    decision_id: str
    """Its name in the ledger, for `Orchestrator.decision`."""

    def json(self) -> Any:
        """`body`, unpacked and decoded.

        Raises:
            ValueError: it is no JSON, or packed in a way that is not read here.
        """
        codings = self.headers.get("content-encoding")
        if codings is None:
            return msgspec.json.decode(self.body)
        try:
            return msgspec.json.decode(inflated(self.body, codings, _MOST_UNPACKED))
        except (NotCompressed, TooLarge, UnknownCoding) as error:
            raise ValueError(
                f"the answer is packed as {codings!r}, and cannot be unpacked here: "
                f"{error or 'it is too large'}. Ask for it with `accept-encoding: identity`."
            ) from None


class PassedStream:
    """What a provider answers, as it comes: iterate over its pieces, in a `with` block or to the
    end, or end it with `aclose`. Otherwise as `PassedThrough`.

    One that is forgotten ends when Python has collected it, with a `ResourceWarning`, or when its
    orchestrator is closed.
    """

    def __init__(self, opened: _Opened) -> None:
        self.provider = opened.provider
        self.status = opened.answer.status
        self.headers = _headers(opened.answer)
        self.decision_id = opened.passage.name
        self._opened = opened
        opened.watch(self)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._opened.pieces():
                yield piece
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Ends the call."""
        self._opened.close()

    async def __aenter__(self) -> PassedStream:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class _Passes(Protocol):
    """What passes calls through: an orchestrator."""

    setup: Setup
    passages: Passages
    ledger: Ledger
    guarded: Guarded | None
    _closed: bool


class PassingThrough:
    """Calls that the library makes with a provider's key, and otherwise leaves as they are."""

    async def pass_through(
        self: _Passes,
        method: str,
        path: str,
        *,
        provider: str | None = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | Path | None = None,
        form: Mapping[str, Field | Sequence[Field]] | None = None,
    ) -> PassedThrough:
        """What a provider says to a call. Nothing is routed or tried again.

        The ledger has it as far as it can be seen from outside; what it cost is known where the
        answer is a small JSON that says what was used of a model with a price for its tokens.

        Args:
            method: such as "POST".
            path: from `/v1` on, such as "/v1/images/generations".
            provider: whose; None where `json` has a model `provider/model`, or only one of those
                configured can be meant by a path of images, audio, moderations, files, uploads,
                batches, vector stores or fine-tuning.
            query: what stands behind the path's `?`.
            headers: others than the key.
            json, content, form: the body, one of them at most. A form may hold files: bytes, a
                `pathlib.Path`, or either with a name as `(name, file)`.

        Raises:
            InvalidRequest: an argument cannot be used.
            UnknownProvider: there is none of this name, or there are several and none was named.
            GuardrailRefused, GuardrailBroke: a guardrail that is always on does not let it pass.
            Unsatisfiable: the provider's dialect signs each call.
            UpstreamError: it could not be reached, or broke off.
        """
        body = _body(json, content, form)
        opened = await _open(
            self, *_passed(self.setup, method, path, provider, query, headers, body)
        )
        try:
            whole = b"".join([piece async for piece in opened.pieces()])
        finally:
            opened.close()
        answer = opened.answer
        return PassedThrough(
            opened.provider, answer.status, _headers(answer), whole, opened.passage.name
        )

    async def pass_through_stream(
        self: _Passes,
        method: str,
        path: str,
        *,
        provider: str | None = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | Path | None = None,
        form: Mapping[str, Field | Sequence[Field]] | None = None,
    ) -> PassedStream:
        """As `pass_through`, read as it comes: for large files, speech, and events."""
        body = _body(json, content, form)
        asked = _passed(self.setup, method, path, provider, query, headers, body)
        return PassedStream(await _open(self, *asked))


def _body(json: Any, content: bytes | Path | None, form: Any) -> Sending | bytes | None:
    """The body that is sent; JSON as bytes, because its model may name the provider.

    Raises:
        InvalidRequest: there are several, or it cannot be written.
    """
    given = {"json": json, "content": content, "form": form}
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise InvalidRequest(
            f"`{names[0]}` and `{names[1]}` are both given. A call has one body.", param=names[1]
        )
    if json is not None:
        return encoded(json)
    if content is not None:
        return plain_body(content)
    return form_body(form) if form is not None else None


def _passed(
    setup: Setup,
    method: str,
    path: str,
    provider: str | None,
    query: Mapping[str, Any] | None,
    headers: Mapping[str, str] | None,
    body: Sending | bytes | None,
) -> tuple[Deployment, Passed, bytes | None]:
    """Who is asked, and what; the body once more where it is JSON."""
    if not method.isalpha():
        raise InvalidRequest(f"`method` is {method!r}. Use such as GET or POST.", param="method")
    if not path.startswith("/") or "?" in path:
        raise InvalidRequest(
            f"`path` is {path!r}; it must begin with a slash, and what stands behind a `?` is "
            "given as `query`.",
            param="path",
        )
    path = clean(quote(path, safe=_IN_PATHS))
    places = Places(setup, param=_PARAM, remedy=_REMEDY)
    if provider is not None:
        whose = places.named(provider)
    elif isinstance(body, bytes):
        whose, body = places.by_model(body, path)
    else:
        whose = places.only(path)
    data = body if isinstance(body, bytes) else None
    if isinstance(body, bytes):
        body = _json(body)
    target = f"{path}?{urlencode(query, doseq=True)}" if query else path
    named = dict(headers or {})
    if body is None:
        return whose, Passed(method.upper(), target, [*named.items()]), None
    if body.kind is not None:
        named = {name: value for name, value in named.items() if name.lower() != "content-type"}
        named["content-type"] = body.kind
    passed = Passed(method.upper(), target, [*named.items()], body.pieces(), body.length)
    return whose, passed, data


def _json(data: bytes) -> Sending:
    return Sending((data,), len(data), "application/json")


class _Opened:
    """One call whose answer has begun. It is in the ledger once it is read to its end, or closed.

    Args:
        passage: what the ledger is to have of it.
    """

    def __init__(
        self, provider: str, answer: PassedAnswer, passage: Passage, ledger: Ledger
    ) -> None:
        self.provider = provider
        self.answer = answer
        self.passage = passage
        self._ledger = ledger
        self._watch: weakref.finalize[[asyncio.AbstractEventLoop], PassedStream] | None = None
        passage.answered(answer)

    def watch(self, stream: PassedStream) -> None:
        """Has it end with its stream, should that be neither read nor closed."""
        loop = asyncio.get_running_loop()
        self._watch = weakref.finalize(stream, self._forgotten, loop)
        self._watch.atexit = False  # then nobody writes it down any more

    async def pieces(self) -> AsyncIterator[bytes]:
        """The answer as it comes; raises as `PassedAnswer.pieces`."""
        try:
            async for piece in self.answer.pieces():
                self.passage.saw(piece)
                yield piece
        except Exception as error:
            self.passage.over(self._ledger, error)
            raise
        self.passage.over(self._ledger)

    def close(self) -> None:
        """Ends it. Does nothing if it is over."""
        if self._watch is not None:
            self._watch.detach()
        self.answer.close()
        self.passage.left(self._ledger)

    def _forgotten(self, loop: asyncio.AbstractEventLoop) -> None:
        """Its stream is gone, found out in any thread."""
        self.passage.left(self._ledger)
        with suppress(RuntimeError):  # the loop is closed, and so is the connection
            loop.call_soon_threadsafe(self.answer.close)
        warnings.warn(
            f"what {self.provider!r} answers was neither read to its end nor closed: use `async "
            "with`, or `aclose`",
            ResourceWarning,
            stacklevel=2,
        )


async def _open(who: _Passes, whose: Deployment, passed: Passed, data: bytes | None) -> _Opened:
    """Makes a call, if guardrails let it; raises as they do, and as `Passages.open`."""
    if who._closed:
        raise Closed
    # Imported only here: few pass anything through.
    from tierwise.passed_costs import PassedCosts

    path = passed.path.partition("?")[0]
    passage = Passage(
        passed.method,
        path,
        kind_of(path),
        whose.provider,
        told=Told(model=None if data is None else model_in(data)),
        cost_of=PassedCosts(who.setup).of(whose, path),
    )
    try:
        if who.guarded is not None and passed.body is not None:
            everywhere = family_of(path) is None
            shown = await who.guarded.looked_at_passed(data, passage, everywhere=everywhere)
            if shown is not data and shown is not None:
                sending = _json(shown)
                passed = replace(passed, body=sending.pieces(), length=sending.length)
        answer = await who.passages.open(whose, passed)
    except Unsatisfiable as error:
        error.param = _PARAM  # and not the header of the gateway's clients
        passage.over(who.ledger, error)
        raise
    except BaseException as error:
        passage.over(who.ledger, error)
        raise
    opened = _Opened(whose.provider, answer, passage, who.ledger)
    who.passages.keep(opened)
    return opened


def _headers(answer: PassedAnswer) -> dict[str, str]:
    """Those of an answer by name, what comes several times joined as RFC 9110 has it."""
    found: dict[str, str] = {}
    for name, value in answer.headers:
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found
