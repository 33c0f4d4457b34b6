"""A login that was ended at one replica is over at the others."""

from __future__ import annotations

from redis import Redis as Client

from replicated import RedisServer, joined, until

NAME = b"n" * 32


async def test_what_one_replica_says_all_know_for_as_long_as_it_matters(
    redis: RedisServer,
) -> None:
    async with joined(redis) as one, joined(redis) as other:
        one.ended.tell(NAME, 59.5)
        await until(lambda: other.ended.told(NAME), "the word")
        assert await one.ended.told(NAME)
        assert not await other.ended.told(b"m" * 32)
        with Client.from_url(redis.url) as client:
            assert 0 < client.ttl(f"tierwise:ended:{NAME.hex()}") <= 60


async def test_what_was_said_while_redis_was_away_it_hears_later(redis: RedisServer) -> None:
    async with joined(redis) as one:
        redis.kill()
        await until(lambda: not one.link.up, "the loss")
        one.ended.tell(NAME, 60.0)
        assert not await one.ended.told(NAME)
        redis.start()
        await until(lambda: one.ended.told(NAME), "the word")
