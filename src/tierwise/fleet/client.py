"""Steers a fleet that runs in another process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import msgspec

from tierwise.errors import ConfigError, ConnectFailed
from tierwise.fleet.faults import Faults, read_faults

if TYPE_CHECKING:
    import aiohttp


class FleetControl:
    """A client of the control API. Use it as an async context manager, or `close` it.

    Every call raises `ConfigError` for an unknown provider or wrong faults, with the fleet's own
    words, and `ConnectFailed` where no fleet listens.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    async def show(self) -> list[dict[str, Any]]:
        """Every provider: name, port, alive, models, faults, requests, counts."""
        providers: list[dict[str, Any]] = (await self._call("GET", "/fleet"))["providers"]
        return providers

    async def set_faults(self, provider: str, faults: Faults | Mapping[str, Any]) -> None:
        """Replaces what is wrong with a provider."""
        body = msgspec.json.encode(read_faults(faults))
        await self._steer("PUT", provider, "faults", body)

    async def clear_faults(self, provider: str) -> None:
        """Makes a provider healthy; a dead one stays dead."""
        await self._steer("DELETE", provider, "faults")

    async def kill(self, provider: str) -> None:
        """Ends its connections and refuses new ones."""
        await self._steer("POST", provider, "kill")

    async def revive(self, provider: str) -> None:
        """Lets it listen on its port again."""
        await self._steer("POST", provider, "revive")

    async def close(self) -> None:
        """Closes the connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _steer(self, method: str, provider: str, what: str, body: bytes = b"") -> None:
        await self._call(method, f"/fleet/{quote(provider, safe='')}/{what}", body)

    async def _call(self, method: str, path: str, body: bytes = b"") -> Any:
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession()
        try:
            async with self._session.request(method, self._url + path, data=body) as response:
                answer = msgspec.json.decode(await response.read())
        except (aiohttp.ClientError, OSError) as error:
            raise ConnectFailed(f"no fleet listens on {self._url}: {error}") from None
        if response.status != 200:
            raise ConfigError(answer["error"]["message"])
        return answer
