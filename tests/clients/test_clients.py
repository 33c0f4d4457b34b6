"""Clients that people already have, unchanged but for base URL and key.

Each asks a running gateway for models of four providers: one of its own dialect, three of others.
`make clients` installs all clients.
"""

from __future__ import annotations

import base64
import json
import os

import pytest

from clients.answered import READ, SIGNATURE, WRITTEN
from clients.contract import City, Client, Target, a_png
from clients.every import CLIENTS
from clients.provider import PLACES, TOO_HOT, TOO_MANY, ScriptedProvider
from gateway import KEY, PATIENCE_S

pytestmark = pytest.mark.process
REQUIRED = "TIERWISE_CLIENTS_REQUIRED"
"""The environment variable with which a client that is not installed is a failure."""


@pytest.fixture(params=CLIENTS, ids=lambda client: client.name)
def client(request: pytest.FixtureRequest) -> Client:
    """Each of them."""
    found: Client = request.param
    if (missing := found.missing()) is not None:
        if os.environ.get(REQUIRED):
            pytest.fail(f"{missing} is not installed")
        pytest.skip(f"{missing} is not installed: `make clients` does so")
    operation = request.function.__name__.removeprefix("test_").partition("__")[0]
    if operation in found.cannot:
        pytest.skip(f"{found.name} has no way to ask for it")
    return found


@pytest.fixture(params=PLACES)
def dialect(request: pytest.FixtureRequest) -> str:
    """What the provider speaks."""
    spoken: str = request.param
    return spoken


@pytest.fixture
def to(client: Client, dialect: str, running: str, scripted: ScriptedProvider) -> Target:
    """The model that a provider of that dialect serves."""
    return Target(running, KEY, client.called(dialect))


def test_chat__is_answered(client: Client, to: Target, scripted: ScriptedProvider) -> None:
    text, tokens = client.chat(to, "Hello there")
    assert text == "You said: Hello there"
    assert tokens in ((READ, WRITTEN), None)
    [asked] = scripted.asked
    assert asked.texts == ["Hello there"]


def test_stream__comes_piece_by_piece(client: Client, to: Target) -> None:
    pieces = client.stream(to, "one two three")
    assert "".join(pieces) == "You said: one two three"
    assert len(pieces) > 2


def test_tools__are_called_over_several_turns(
    client: Client, to: Target, dialect: str, scripted: ScriptedProvider
) -> None:
    said = client.tools(to, "What is it like?")
    _check_tools(client, dialect, scripted, said)


def test_tools_streamed__are_called_over_several_turns(
    client: Client, to: Target, dialect: str, scripted: ScriptedProvider
) -> None:
    said = client.tools_streamed(to, "What is it like?")
    _check_tools(client, dialect, scripted, said)


def _check_tools(client: Client, dialect: str, scripted: ScriptedProvider, said: str) -> None:
    last = scripted.asked[-1]
    assert len(scripted.asked) == 3
    expected = [
        ("weather", "sunny in Oslo"),
        ("time", "noon in Oslo"),
        ("weather", "sunny in Bergen"),
    ]
    for (_, name, given), (tool, words) in zip(last.results, expected, strict=True):
        assert name == tool
        assert words in given
    assert said == "; ".join(f"{name}: {given}" for _, name, given in last.results)
    if dialect != "gemini":
        assert len({called for called, _, _ in last.results}) == 3
    if client.dialect == dialect:
        if dialect != "gemini":
            assert [called for called, _, _ in last.results] == ["call_1", "call_2", "call_3"]
        else:
            assert json.dumps(last.body).count(SIGNATURE) == 2


def test_structured__output_is_parsed(client: Client, to: Target) -> None:
    """Some ask for one call at most, which Gemini has no word for: one tool alone can be called."""
    found = client.structured(to, "A city?")
    assert isinstance(found, City)  # or of a type made of it
    assert found.model_dump() == {"name": "Oslo", "degrees": 21, "tags": ["Oslo"]}


def test_picture__is_seen(client: Client, to: Target, dialect: str) -> None:
    png = a_png()
    said = client.picture(to, "What is it?", png)
    if dialect == "gemini":  # knows base64 in both its alphabets
        said = said.replace("_", "/").replace("-", "+")
    assert said == f"image/png {base64.b64encode(png).decode()}"


def test_leave__early_cancels_the_call(
    client: Client, running: str, dialect: str, scripted: ScriptedProvider
) -> None:
    model = client.called(f"{dialect}-slow")
    first = client.leave(Target(running, KEY, model), "Hello there")
    assert first.startswith("You")
    assert scripted.gone.wait(PATIENCE_S)


@pytest.mark.parametrize(
    ("status", "key", "model", "said"),
    [
        (401, "wrong", "{}", "key"),
        (404, KEY, "none-such", "none-such"),
        (400, KEY, "{}-refusing", TOO_HOT),
        (429, KEY, "{}-limited", TOO_MANY),
    ],
    ids=["401", "404", "400", "429"],
)
def test_refused__requests_raise_the_clients_own_errors(
    client: Client, running: str, dialect: str, status: int, key: str, model: str, said: str
) -> None:
    name = client.called(model.format(dialect))
    refusal = client.refused(Target(running, key, name))
    assert refusal.status == status
    assert refusal.kind == client.errors.get(status, refusal.kind)
    assert said.replace("none-such", name) in refusal.message
