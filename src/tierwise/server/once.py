"""One answer for one `Idempotency-Key`: a client that asks again gets it again, billed once.

The request goes on when its client has gone, because a client that has lost its connection comes
back for the answer. Failures are not kept: whoever asks again after one wants another try. The
header is that of the IETF draft "The Idempotency-Key HTTP Header Field"; keys are a caller's own.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from tierwise.errors import InvalidRequest, KeyReused
from tierwise.server.request import Send

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


class Kept:
    """The answer to one key, as it was sent: complete, or still coming. It is what `Send` is."""

    def __init__(self, digest: bytes) -> None:
        self.digest = digest
        self.began = time.monotonic()
        self.failed = False
        self.done = False
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
                if again and message["type"] == "http.response.start":
                    message = {**message, "headers": [*message["headers"], _REPLAYED]}
                await send(message)
            if self.done:
                return
            await self._more.wait()

    def _tell(self) -> None:
        self._more.set()
        self._more = asyncio.Event()


class Once:
    """The answers to keys, of this process."""

    def __init__(self) -> None:
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
            raise KeyReused(
                "This `Idempotency-Key` was used for another request. Use a new key for each "
                "request, and the same one only to send the very same body again.",
                param="Idempotency-Key",
            )
        await kept.replay(send, again=again)

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
        try:
            await ask(kept)
        except BaseException:
            kept.failed = True
            raise
        finally:
            kept.end()
            if kept.failed:
                self._kept.pop(place, None)
            else:
                self._bytes += kept.size
                self._forget_old()

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
