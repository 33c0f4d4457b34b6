"""Redis may be far, locked, encrypted, full or gone; none of that is a reason to fail."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from redis.asyncio import Redis

from authority import Authority
from replicated import RedisServer, until
from tierwise.config.keeping import StateConfig
from tierwise.errors import ConfigError
from tierwise.state.shared import connection
from tierwise.state.shared.connection import Link, Lost
from tierwise.state.shared.scripts import LOOK, NEWS, OPEN


@contextlib.asynccontextmanager
async def linked(url: str, **more: Any) -> AsyncIterator[Link]:
    link = Link(StateConfig.model_validate({"url": url, **more}))
    await link.start()
    try:
        yield link
    finally:
        await link.close()


async def look(link: Link) -> list[bytes]:
    found: list[bytes] = await link.call(LOOK, [link.key("limits", "me")], [60, ""])
    return found


@pytest.mark.parametrize("given", ["right", "wrong", "none"])
async def test_a_password_is_given_and_never_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, given: str
) -> None:
    caplog.set_level(logging.DEBUG)
    passwords = {"right": {"password": "sesame-1"}, "wrong": {"password": "sesame-2"}, "none": {}}
    with RedisServer(tmp_path / "redis", password="sesame-1") as server:
        async with linked(server.url, **passwords[given]) as link:
            assert link.up == (given == "right")
            assert bool(link.why) != link.up
            said = caplog.text + link.why
    assert "sesame" not in said


async def test_it_is_asked_over_tls_where_its_certificate_is_good(
    tmp_path: Path, redis: RedisServer
) -> None:
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue(tmp_path, "redis"))
    through = await asyncio.start_server(
        lambda reader, writer: passed(redis, reader, writer), "127.0.0.1", 0, ssl=context
    )
    url = f"rediss://127.0.0.1:{through.sockets[0].getsockname()[1]}"
    try:
        async with linked(url, ca_file=str(authority.file)) as link:
            assert await look(link) == [b"0", b"0"]
        async with linked(url, ca_file=str(stranger.file)) as link:
            assert not link.up
            assert "certificate" in link.why.lower()
    finally:
        through.close()


async def passed(
    redis: RedisServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Passes what comes on to Redis, and back."""
    there, onward = await asyncio.open_unix_connection(redis.url.removeprefix("unix://"))

    async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                target.write(data)
        target.close()

    await asyncio.gather(pump(reader, onward), pump(there, writer))


@pytest.mark.parametrize(
    "config",
    [
        {"url": "http://127.0.0.1"},
        {"url": "redis://127.0.0.1", "ca_file": "ca.pem"},
        {"url": "redis://:sesame#1@127.0.0.1:port"},
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_its_password(config: Any) -> None:
    with pytest.raises((ValidationError, ConfigError)) as caught:
        Link(StateConfig.model_validate(config))
    assert "sesame" not in str(caught.value)


async def test_scripts_that_somebody_flushed_are_given_again(redis: RedisServer) -> None:
    async with linked(redis.url) as link:
        async with Redis.from_url(redis.url) as client:
            await client.script_flush()
        assert await look(link) == [b"0", b"0"]
        assert link.up


async def test_what_is_to_be_told_is_kept_while_redis_is_away_and_told_once(
    redis: RedisServer,
) -> None:
    heard: list[bytes] = []
    async with linked(redis.url) as link:
        link.watch(lambda: None, heard.append)
        redis.kill()
        link.tell(NEWS, [], [link.channel, "first"])
        await until(lambda: not link.up, "the loss")
        heard.clear()
        for text in ("second", "third"):
            link.tell(NEWS, [], [link.channel, text])
        with pytest.raises(Lost):
            await look(link)
        redis.start()
        await until(lambda: heard == [b"second", b"third"], "what was to be told")


async def test_of_too_much_that_is_to_be_told_the_oldest_is_forgotten(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_MOST_KEPT", 3)
    redis.kill()
    async with linked(redis.url) as link:
        for number in range(5):
            link.tell(NEWS, [], [link.channel, number])
        assert (link.waiting, link.forgotten) == (3, 2)


async def test_a_redis_that_is_full_is_gone_on_without(
    redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with linked(redis.url) as link:
        async with Redis.from_url(redis.url) as client:
            await client.config_set("maxmemory", "1")
        for _ in range(3):
            with pytest.raises(Lost):
                await link.call(OPEN, [link.key("budget", "b")], [1, 60])
        assert link.up
    assert caplog.text.count("Redis refuses") == 1


async def test_what_was_said_before_the_end_is_told_before_the_end(redis: RedisServer) -> None:
    async with linked(redis.url) as link:
        link.tell(OPEN, [link.key("budget", "b")], [5, 60])
    async with Redis.from_url(redis.url) as client:
        assert await client.hget("tierwise:budget:b", "base") == b"5"
