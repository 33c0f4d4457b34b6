"""What several tests of the server ask the gateway with, and what they put around it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openai import OpenAI

from collector import Collector
from gateway import KEY, RunningGateway
from vectors import Embeds, config


@pytest.fixture(scope="module")
def _embeds() -> Iterator[Embeds]:
    with Embeds() as one:
        yield one


@pytest.fixture
def embeds(_embeds: Embeds) -> Embeds:
    """A provider of embeddings."""
    _embeds.answers.clear()
    _embeds.asked.clear()
    return _embeds


@pytest.fixture
def running(embeds: Embeds) -> Iterator[RunningGateway]:
    """A gateway before it."""
    with RunningGateway(config(embeds.url)) as gateway:
        yield gateway


@pytest.fixture
def client(gateway: RunningGateway) -> Iterator[OpenAI]:
    """OpenAI's own client, which does not try again by itself."""
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0) as client:
        yield client


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Takes traces and metrics."""
    with Collector() as running:
        yield running
