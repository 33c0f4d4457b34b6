"""A gateway with accounts: two organisations, and a key of every role in each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway import KEY, Provider, Reply, RunningGateway, call, config_for
from tierwise.accounts.accounts import Accounts
from tierwise.accounts.types import OPERATOR, Key
from tierwise.accounts.wanted import NewKey, NewOrganisation, NewTeam, NewUser

OPERATOR_KEY = "operator-key-1"
"""One of the configuration with `admin: true`; `KEY` is one without."""
METRICS_KEY = "metrics-key-1"
"""One of the configuration with `only: [metrics]`."""
CONFIGURED = (
    KEY,
    {"key": OPERATOR_KEY, "name": "op", "admin": True},
    {"key": METRICS_KEY, "name": "prometheus", "only": ["metrics"]},
)

Body = dict[str, Any]


class Tenant:
    """An organisation with a team, two users, and a key of every role.

    `member` and `other` are keys of two users who are members; `lone` is a member's key of nobody.
    """

    def __init__(self, accounts: Accounts, name: str) -> None:
        store, self._keyring = accounts.store, accounts.keyring
        self.id = store.create_organisation(OPERATOR, NewOrganisation(name=name)).id
        self.team = store.create_team(OPERATOR, NewTeam(name="search", org=self.id)).id
        self.user = self._user(store, f"ann@{name}.example")
        self.other_user = self._user(store, f"bob@{name}.example")
        self.keys: dict[str, Key] = {}
        self.secrets: dict[str, str] = {}
        for role in ("admin", "viewer"):
            self.key(role, role=role)
        self.key("member", user=self.user, team=self.team)
        self.key("other", user=self.other_user)
        self.key("lone")

    def key(self, name: str, **fields: Any) -> str:
        """Makes a key; gives its secret."""
        key, secret = self._keyring.create(OPERATOR, NewKey(name=name, org=self.id, **fields))
        self.keys[name], self.secrets[name] = key, secret.value
        return secret.value

    def _user(self, store: Any, name: str) -> str:
        user: str = store.create_user(OPERATOR, NewUser(name=name, org=self.id)).id
        return user


class Tenants:
    """A running gateway with two tenants, `ours` and `theirs`."""

    def __init__(self, gateway: RunningGateway, provider: Provider) -> None:
        self.gateway = gateway
        self.provider = provider
        found = gateway.application._lasting.accounts
        assert found is not None
        self.accounts = found
        self.ours = Tenant(found, "ours")
        self.theirs = Tenant(found, "theirs")

    def call(
        self,
        method: str,
        path: str,
        body: Body | None = None,
        *,
        key: str | None = OPERATOR_KEY,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """One call about accounts; `path` goes on from /v1/admin/."""
        return call(self.gateway.url, method, f"/v1/admin/{path}", body, key=key, headers=headers)


@contextmanager
def tenants(folder: Path, **sections: Any) -> Iterator[Tenants]:
    """Runs a gateway with accounts, whose ledger is in a folder."""
    with Provider() as provider:
        data = config_for(
            provider.url,
            **{
                "ledger": {"path": str(folder / "ledger.db")},
                "accounts": {"enabled": True},
                "server": {"api_keys": list(CONFIGURED)},
                **sections,
            },
        )
        with RunningGateway(data) as gateway:
            ready(gateway.url)
            yield Tenants(gateway, provider)


def ready(url: str) -> None:
    """Waits until the gateway serves."""
    assert call(url, "GET", "/health/live", key=None).status == 200
