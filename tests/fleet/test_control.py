"""The control API, through its client and by hand."""

from __future__ import annotations

import aiohttp
import pytest

from tierwise.errors import ConfigError, ConnectFailed
from tierwise.fleet import Faults, FleetControl
from tierwise.fleet.faults import Errors


@pytest.fixture
async def control(fleet):
    async with FleetControl(fleet.control_url) as control:
        yield control


async def test_it_shows_every_provider(fleet, control):
    shown = await control.show()
    assert [provider["name"] for provider in shown] == list(fleet.providers)
    alpha = shown[0]
    assert alpha["port"] == fleet.providers["alpha"].port
    assert alpha["models"] == list(fleet.providers["alpha"].models)
    assert alpha["alive"] is True
    assert alpha["faults"] == {}
    assert alpha["requests"] == 0


async def test_faults_are_set_seen_and_cleared(fleet, control, client):
    alpha = fleet.providers["alpha"]
    await control.set_faults("alpha", {"errors": {"status": 502}})
    assert alpha.faults == Faults(errors=Errors(status=502))
    assert (await client.ask(alpha, "hi", "sim-large")).status == 502
    state = (await control.show())[0]
    assert state["faults"] == {"errors": {"status": 502}}
    assert state["requests"] == 1
    assert state["counts"]["refused"] == 1
    await control.clear_faults("alpha")
    assert (await client.ask(alpha, "hi", "sim-large")).status == 200


async def test_it_outlives_a_killed_provider_and_revives_it(fleet, control, client):
    beta = fleet.providers["beta"]
    await control.kill("beta")
    assert [p["name"] for p in await control.show() if not p["alive"]] == ["beta"]
    with pytest.raises(aiohttp.ClientConnectorError):
        await client.ask(beta, "hi", "sim-large")
    await control.revive("beta")
    assert (await client.ask(beta, "hi", "sim-large")).status == 200


async def test_dying_twice_and_reviving_the_living_change_nothing(fleet, control, client):
    await control.revive("beta")
    await control.kill("beta")
    await control.kill("beta")
    await control.revive("beta")
    assert (await client.ask(fleet.providers["beta"], "hi", "sim-large")).status == 200


async def test_an_unknown_provider_is_answered_with_the_nearest(control):
    with pytest.raises(ConfigError, match="alpha"):
        await control.kill("alfa")
    with pytest.raises(ConfigError, match="a/b"):
        await control.kill("a/b")


async def test_wrong_faults_are_refused_with_the_reason(fleet, client):
    url = f"{fleet.control_url}/fleet/alpha/faults"
    async with client.session.put(url, data=b'{"slo": {}}') as response:
        assert response.status == 400
        assert "slow" in (await response.json())["error"]["message"]


async def test_without_a_fleet_the_client_says_where_it_looked():
    async with FleetControl("http://127.0.0.1:9") as control:
        with pytest.raises(ConnectFailed, match=r"127\.0\.0\.1:9"):
            await control.show()
