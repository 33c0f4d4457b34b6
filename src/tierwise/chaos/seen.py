"""What a client saw of one request, as it came over the wire."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from tierwise.fleet import WorkItem


class Seen(Struct, frozen=True, kw_only=True):
    """One request and all that came back. Times in seconds.

    `at` is when it was sent, by the monotonic clock. `status` is 0 where no status came, `broke`
    how the connection ended where it ended too early, `accepted` whether there was one at all.
    """

    number: int
    item: WorkItem
    stream: bool
    at: float
    latency_s: float
    status: int
    headers: Mapping[str, str]
    body: bytes
    broke: str | None = None
    accepted: bool = True

    @property
    def until(self) -> float:
        """When all of it was here."""
        return self.at + self.latency_s

    @property
    def comments(self) -> dict[str, str]:
        """The stream's comments that name a value, as headers do; the last of a name."""
        found: dict[str, str] = {}
        for line in self.body.split(b"\n") if self.stream else ():
            if line.startswith(b": x-tierwise-"):
                name, _, value = line[2:].decode().partition(": ")
                found[name] = value.strip()
        return found

    def told(self, name: str) -> str | None:
        """What the gateway said of the request, in a header or in a comment of the stream."""
        return self.headers.get(name) or self.comments.get(name)
