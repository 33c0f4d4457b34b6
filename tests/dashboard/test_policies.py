"""A policy is applied as it was previewed, by whom the audit log says, or not at all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from from_file import FromFile
from gateway import Provider, RunningGateway, call, config_for
from pages import Answer, Client, Person, sign_in, token_of
from tenants import OPERATOR_KEY
from tierwise.accounts.kinds import AUDIT
from tierwise.accounts.types import OPERATOR
from tierwise.errors import ConfigError

EDIT = {
    "name": "auto", "quality": "0.7", "reference": "", "max_cost_usd": "", "max_latency_s": "",
    "gates": "complete, json_schema", "weight_cost": "1", "weight_latency": "0",
}  # fmt: skip
_SEEN = re.compile(r'name="seen" value="([0-9a-f]+)"')


@pytest.fixture
def guarded(tmp_path: Path, provider: Provider) -> Iterator[tuple[FromFile, Path]]:
    """A gateway with accounts and its configuration's file."""
    data = config_for(
        provider.url,
        ledger={"path": str(tmp_path / "ledger.db")},
        accounts={"enabled": True},
        server={"api_keys": [{"key": OPERATOR_KEY, "name": "op", "admin": True}]},
    )
    file = tmp_path / "tierwise.yaml"
    file.write_text(yaml.safe_dump(data, sort_keys=False))
    with FromFile(file) as gateway:
        assert call(gateway.url, "GET", "/health/live", key=None).status == 200
        yield gateway, file


def preview(person: Person, **fields: Any) -> Answer:
    return person.post("/dashboard/policies/auto/preview", **{**EDIT, **fields})


def apply(person: Person, previewed: Answer, **fields: Any) -> Answer:
    seen = _SEEN.search(previewed.text)
    assert seen is not None, previewed.text
    return person.post("/dashboard/policies/auto/apply", seen=seen[1], **{**EDIT, **fields})


def written(file: Path) -> Any:
    return yaml.safe_load(file.read_text())["policies"]


def test_who_applied_what_is_in_the_audit_log(guarded: tuple[FromFile, Path]) -> None:
    gateway, file = guarded
    person = sign_in(gateway.url, OPERATOR_KEY)
    assert apply(person, preview(person)).status == 303
    assert written(file)["auto"] == {"wait_s": 0, "quality": 0.7}
    accounts = gateway.application._lasting.accounts
    assert accounts is not None
    entry = next(iter(accounts.store.page(OPERATOR, AUDIT, limit=1).data))
    assert (entry.action, entry.target, entry.actor) == ("policy.change", "auto", "op")
    assert entry.before == {"wait_s": 0}
    assert entry.after == {"wait_s": 0, "quality": 0.7}


def test_a_copy_under_another_name_leaves_the_original(guarded: tuple[FromFile, Path]) -> None:
    gateway, file = guarded
    person = sign_in(gateway.url, OPERATOR_KEY)
    found = preview(person, name="thrifty")
    assert apply(person, found, name="thrifty").status == 303
    assert written(file)["auto"] == {"wait_s": 0}
    assert written(file)["thrifty"] == {"wait_s": 0, "quality": 0.7}
    assert "thrifty" in person.get("/dashboard/policies").text


def test_a_file_that_has_changed_since_is_not_written(guarded: tuple[FromFile, Path]) -> None:
    gateway, file = guarded
    person = sign_in(gateway.url, OPERATOR_KEY)
    found = preview(person)
    file.write_text(file.read_text() + "# Somebody else was here.\n")
    now = file.read_text()
    answer = apply(person, found)
    assert answer.status == 409
    assert "has changed since the preview" in answer.text
    assert file.read_text() == now


def test_a_file_that_cannot_be_used_is_put_back(
    guarded: tuple[FromFile, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway, file = guarded
    person = sign_in(gateway.url, OPERATOR_KEY)
    found = preview(person)
    before = file.read_text()

    async def refused() -> None:
        raise ConfigError("it is not to be")

    monkeypatch.setattr(gateway.application._endpoints._pages, "_reload", refused)
    answer = apply(person, found)
    assert answer.status == 400
    assert "it is not to be" in answer.text
    assert file.read_text() == before


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"quality": "1.5"}, "quality"),
        ({"quality": "much"}, "`quality` is &#39;much&#39;"),
        ({"reference": "nobody"}, "nobody"),
        ({"gates": "no_such_gate"}, "no_such_gate"),
        ({"gates": "complete, antigravity:fly"}, "code of your own"),
        ({"name": "stepwise"}, "there is a policy of this name"),
        ({"name": "../x"}, "`name`"),
        ({"name": "small"}, "small"),
    ],
)
def test_what_is_wrong_is_named(
    guarded: tuple[FromFile, Path], fields: dict[str, str], told: str
) -> None:
    gateway, file = guarded
    before = file.read_text()
    answer = preview(sign_in(gateway.url, OPERATOR_KEY), **fields)
    assert answer.status == 400
    assert told in answer.text.split('role="alert"')[1].split("</p>")[0]
    assert _SEEN.search(answer.text) is None
    assert file.read_text() == before


def test_code_of_one_s_own_that_the_file_names_may_be_named(provider: Provider) -> None:
    """As a form sends all gates of a policy, and only those that the file names are loaded."""
    own = "tierwise.gates.complete:CompleteGate"
    data = config_for(provider.url, policies={"auto": {"gates": [own]}})
    with RunningGateway(data) as gateway:
        assert call(gateway.url, "GET", "/health/live", key=None).status == 200
        client = Client(gateway.url)
        token = token_of(client.get("/dashboard/policies/auto").text)
        sent = {**EDIT, "token": token, "gates": f"{own}, json_schema"}
        assert client.post("/dashboard/policies/auto/preview", **sent).status == 200


def test_without_a_file_the_page_says_what_to_paste(provider: Provider) -> None:
    with RunningGateway(config_for(provider.url)) as gateway:
        assert call(gateway.url, "GET", "/health/live", key=None).status == 200
        client = Client(gateway.url)
        token = token_of(client.get("/dashboard/policies/auto").text)
        answer = client.post("/dashboard/policies/auto/preview", token=token, **EDIT)
        assert answer.status == 200
        assert "was started without a configuration file" in answer.text
        assert "  auto:\n    quality: 0.7" in answer.text
        assert "Apply and reload" not in answer.text
