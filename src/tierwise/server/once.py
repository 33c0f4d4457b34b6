"""One answer for one `Idempotency-Key`: a client that asks again gets it again, billed once.

The request goes on when its client has gone, because a client that has lost its connection comes
back for the answer. Failures are not kept: whoever asks again after one wants another try. The
header is that of the IETF draft "The Idempotency-Key HTTP Header Field"; keys are a caller's own.
With shared state one replica answers, and others give its answer out when it is complete.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

import msgspec

from tierwise.errors import InvalidRequest, KeyReused
from tierwise.server.request import Send

if TYPE_CHECKING:
    from tierwise.state.shared.once import SharedOnce, Turn

Message = MutableMapping[str, Any]
Ask = Callable[["Kept"], Awaitable[None]]

HEADER = b"idempotency-key"
KEEP_S = 3600.0
"""How long an answer is kept, in seconds."""
MOST_ANSWERS = 10_000
MOST_BYTES = 64 << 20
"""Of all answers that are kept. Those that are still coming count when they are complete."""
LONGEST_KEY = 255
_REPLAYED = (b"x-tierwise-replayed", b"true")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[dict[str, Any]]).decode


class Kept:
    """The answer to one key, as it was sent: complete, or still coming. It is what `Send` is."""

    def __init__(self, digest: bytes) -> None:
        self.digest = digest
        self.began = time.monotonic()
        self.failed = False
        self.done = False
        self.reused = False
        self.elsewhere = False
        self.size = 0
        self._messages: list[Message] = []
        self._more = asyncio.Event()

    async def __call__(self, message: Message) -> None:
        """Takes the next message of the answer."""
        self._messages.append(message)
        self.size += len(message.get("body", b""))
        if message.get("status", 200) != 200:
            self.failed = True
        self._tell()

    async def take(self, written: bytes) -> None:
        """Takes an answer that another replica gave, as `written` has it there."""
        self.elsewhere = True
        for message in _decode(written):
            await self(message)

    @property
    def written(self) -> bytes:
        """The whole answer as bytes."""
        return _encode(self._messages)

    def end(self) -> None:
        """Nothing more comes."""
        self.done = True
        self._tell()

    async def replay(self, send: Send, *, again: bool) -> None:
        """Sends the answer, all that is there and then the rest as it comes.

        Args:
            again: whether another request has asked for it; its headers say so.
        """
        sent = 0
        while True:
            while sent < len(self._messages):
                message = self._messages[sent]
                sent += 1
                if (again or self.elsewhere) and message["type"] == "http.response.start":
                    message = {**message, "headers": [*message["headers"], _REPLAYED]}
                await send(message)
            if self.done:
                return
            await self._more.wait()

    def _tell(self) -> None:
        self._more.set()
        self._more = asyncio.Event()


class Once:
    """The answers to keys, of this process, and of others where they share them."""

    def __init__(self, shared: SharedOnce | None = None) -> None:
        self._shared = shared
        self._kept: OrderedDict[tuple[str | None, bytes], Kept] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._bytes = 0

    async def answer(
        self, key: bytes, caller: str | None, body: bytes, ask: Ask, send: Send
    ) -> None:
        """Sends the answer to a key; asks for it if nobody has.

        Args:
            key: the header's value.
            body: what is asked for; it must be the same each time.
            ask: answers the request into what it is given; sets `failed` where that is an error.

        Raises:
            InvalidRequest: the key is empty or too long.
            KeyReused: it was used for another request.
        """
        if not 0 < len(key) <= LONGEST_KEY:
            raise InvalidRequest(
                f"`Idempotency-Key` has {len(key)} characters; it may have 1 to {LONGEST_KEY}.",
                param="Idempotency-Key",
            )
        self._forget_old()
        digest = hashlib.blake2b(body, digest_size=16).digest()
        place = caller, key
        kept = self._kept.get(place)
        again = kept is not None
        if kept is None:
            kept = self._kept[place] = Kept(digest)
            task = asyncio.get_running_loop().create_task(self._ask(place, kept, ask))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif kept.digest != digest:
            raise _reused()
        await kept.replay(send, again=again)
        if kept.reused:
            raise _reused()

    async def all_done(self, timeout_s: float) -> None:
        """Waits until nothing is asked any more, for `timeout_s` seconds at most; then ends it."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=timeout_s)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    async def _ask(self, place: tuple[str | None, bytes], kept: Kept, ask: Ask) -> None:
        turn: Turn | None = None
        try:
            if self._shared is not None:
                turn = await self._turn(self._shared, place, kept)
            if not (kept.reused or kept.elsewhere):
                await ask(kept)
        except BaseException:
            kept.failed = True
            raise
        finally:
            kept.end()
            if turn is not None:
                turn.over(None if kept.failed else kept.written)
            if kept.failed:
                self._kept.pop(place, None)
            else:
                self._bytes += kept.size
                self._forget_old()

    async def _turn(
        self, shared: SharedOnce, place: tuple[str | None, bytes], kept: Kept
    ) -> Turn | None:
        """This replica's turn to ask; None where another one has answered, or the key is reused."""
        # Imported only here: most gateways are by themselves.
        from tierwise.state.shared.once import Reused

        try:
            turn = await shared.turn(*place, kept.digest)
        except Reused:
            kept.reused = kept.failed = True
            return None
        if turn.answer is None:
            return turn
        await kept.take(turn.answer)
        return None

    def _forget_old(self) -> None:
        """Keeps within the bounds; what is still coming stays."""
        now = time.monotonic()
        while self._kept:
            place, oldest = next(iter(self._kept.items()))
            full = len(self._kept) > MOST_ANSWERS or self._bytes > MOST_BYTES
            if not oldest.done or not (full or now - oldest.began > KEEP_S):
                return
            del self._kept[place]
            self._bytes -= oldest.size


def _reused() -> KeyReused:
    return KeyReused(
        "This `Idempotency-Key` was used for another request. Use a new key for each "
        "request, and the same one only to send the very same body again.",
        param="Idempotency-Key",
    )
