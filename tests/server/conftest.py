"""A provider of embeddings and a gateway before it, for the tests of each dialect that asks it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway import RunningGateway
from vectors import Embeds, config


@pytest.fixture(scope="module")
def _embeds() -> Iterator[Embeds]:
    with Embeds() as one:
        yield one


@pytest.fixture
def embeds(_embeds: Embeds) -> Embeds:
    _embeds.answers.clear()
    _embeds.asked.clear()
    return _embeds


@pytest.fixture
def running(embeds: Embeds) -> Iterator[RunningGateway]:
    with RunningGateway(config(embeds.url)) as gateway:
        yield gateway
