"""What is measured: a fleet, two replicas in front of it, and what they share."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
from msgspec import Struct

from tierwise.chaos.ground import TIMEOUTS, configured
from tierwise.chaos.replicas.servers import (
    PostgresServer,
    RedisServer,
    postgres_running,
    redis_running,
)
from tierwise.demo.processes import Gateway, fleet_process, free_ports
from tierwise.errors import TierwiseError
from tierwise.fleet import Fleet

REPLICAS = 2
PATIENCE_S = 30.0
"""How long replicas may take to write, tell and hear what they have, in seconds."""
STATE_TIMEOUT_S = 1.0
"""Longer than by default: everything here shares one small machine."""
_POLL_S = 0.05


class Ground(Struct, frozen=True, kw_only=True):
    """Where everything is. `postgres` is None where the database is somebody else's."""

    gateways: tuple[Gateway, ...]
    redis: RedisServer
    postgres: PostgresServer | None
    database: str
    operator: str
    fleet: Fleet


class Payer(Struct, frozen=True, kw_only=True):
    """A key and its budget; `secret` is what clients say."""

    key: str
    secret: str
    budget: str | None
    hard_usd: float | None


class Told(Struct, frozen=True):
    """What each replica's admin API says of a budget, in USD."""

    spent_usd: tuple[float, ...]
    set_aside_usd: tuple[float, ...]


@contextmanager
def standing(
    fleet: Fleet, outcomes: Path | None, database: str | None, *, seed: int, speed: float
) -> Iterator[Ground]:
    """All of it, until the block ends.

    Args:
        database: the URL of a PostgreSQL database; None to start one.

    Raises:
        ConfigError: there is no Redis or PostgreSQL to start.
        TierwiseError: a process does not start.
    """
    with ExitStack() as stack:
        redis = stack.enter_context(redis_running())
        postgres = None if database is not None else stack.enter_context(postgres_running())
        url = database or (postgres.url if postgres is not None else "")
        places = len(fleet.providers) + 1
        ports = free_ports(places + REPLICAS)
        config = stack.enter_context(
            fleet_process(outcomes, seed=seed, speed=speed, base_port=ports)
        )
        root = Path(stack.enter_context(TemporaryDirectory(prefix="tierwise-chaos-")))
        operator = f"operator-{secrets.token_urlsafe(24)}"
        gateways = []
        for number in range(REPLICAS):
            directory = root / f"replica-{number}"
            directory.mkdir()
            shared = _shared(configured(config, directory, TIMEOUTS), url, redis.url, operator)
            gateway = Gateway(shared, directory, ports + places + number)
            gateway.start()
            stack.callback(gateway.stop)
            gateways.append(gateway)
        yield Ground(
            gateways=tuple(gateways),
            redis=redis,
            postgres=postgres,
            database=url,
            operator=operator,
            fleet=fleet,
        )


def _shared(config: dict[str, Any], database: str, redis: str, operator: str) -> dict[str, Any]:
    """A gateway's configuration, as one of several."""
    keys = [{"key": operator, "name": "operator", "admin": True}]
    return {
        **config,
        "server": {**config["server"], "api_keys": keys},
        "ledger": {"url": database},
        "accounts": {"enabled": True},
        "state": {"url": redis, "timeout_s": STATE_TIMEOUT_S},
    }


class Office:
    """The admin API of all replicas, for one who may do everything."""

    def __init__(self, ground: Ground, session: aiohttp.ClientSession) -> None:
        self._urls = [gateway.url for gateway in ground.gateways]
        self._session = session
        self._headers = {"authorization": f"Bearer {ground.operator}"}

    async def payer(self, name: str, hard_usd: float | None) -> Payer:
        """A new key, which all replicas know; with a hard budget unless that is None."""
        key = await self._call("POST", "keys", {"name": name})
        budget = None
        if hard_usd is not None:
            asked = {"scope": "key", "owner": key["id"], "period": "total", "hard_usd": hard_usd}
            budget = (await self._call("POST", "budgets", asked))["id"]
        payer = Payer(key=key["id"], secret=key["secret"], budget=budget, hard_usd=hard_usd)
        for url in self._urls:
            await _until(lambda url=url: self._knows(url, payer), f"{url} to know a new key")
        return payer

    async def told(self, payer: Payer) -> Told:
        """What is said of the budget, once nothing is set aside any more, or after a while."""
        give_up = time.monotonic() + PATIENCE_S
        while True:
            found = [
                await self._call("GET", f"budgets/{payer.budget}", url=url) for url in self._urls
            ]
            aside = tuple(one["set_aside_usd"] for one in found)
            if not any(aside) or time.monotonic() > give_up:
                return Told(tuple(one["spent_usd"] for one in found), aside)
            await asyncio.sleep(_POLL_S)

    async def ready(self) -> None:
        """Waits until all replicas see each other."""
        for url in self._urls:
            await _until(lambda url=url: self._is_joined(url), f"{url} to join the others")

    async def written(self) -> None:
        """Waits until all records are in the database."""
        for url in self._urls:
            await _until(lambda url=url: self._has_written(url), f"{url} to write its records")

    async def _knows(self, url: str, payer: Payer) -> bool:
        bearer = {"authorization": f"Bearer {payer.secret}"}
        async with self._session.get(f"{url}/v1/models", headers=bearer) as response:
            if response.status != 200 or payer.budget is None:
                return response.status == 200
        place = f"{url}/v1/admin/budgets/{payer.budget}"
        async with self._session.get(place, headers=self._headers) as response:
            return response.status == 200

    async def _is_joined(self, url: str) -> bool:
        async with self._session.get(f"{url}/health/ready") as response:
            shared = (await response.json()).get("shared", {})
        return bool(shared.get("status") == "connected" and shared.get("replicas") == REPLICAS)

    async def _has_written(self, url: str) -> bool:
        async with self._session.get(f"{url}/v1/status", headers=self._headers) as response:
            ledger = (await response.json())["ledger"]
        return not ledger["pending"]

    async def _call(
        self, verb: str, path: str, body: object = None, url: str | None = None
    ) -> dict[str, Any]:
        place = f"{url or self._urls[0]}/v1/admin/{path}"
        async with self._session.request(verb, place, json=body, headers=self._headers) as response:
            found: dict[str, Any] = await response.json()
            if response.status >= 400:
                raise TierwiseError(f"{verb} {path}: {response.status}: {found}")
            return found


async def _until(holds: Any, what: str) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while not await holds():
        if time.monotonic() > give_up:
            raise TierwiseError(f"in vain for {PATIENCE_S:g} s: {what}")
        await asyncio.sleep(_POLL_S)
