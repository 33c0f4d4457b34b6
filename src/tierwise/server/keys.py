"""Who may use the gateway: keys are kept and compared as hashes.

Those of the configuration come first, then those of the accounts, if there are any.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct
from pydantic import SecretStr

from tierwise.budget import Budget
from tierwise.config.clients import caller_of, share_of
from tierwise.config.serving import KeyConfig, LimitsConfig, Use
from tierwise.errors import AuthenticationFailed, ConfigError, NotPermitted
from tierwise.types import Limits, Owner, Priority

if TYPE_CHECKING:
    from tierwise.accounts.directory import Directory
    from tierwise.accounts.types import Holder

_KNOWN_HEADERS = 1000
_BEARER = "`Authorization: Bearer <key>`"
_MORE = ("admin", "priority", "limits")
"""Fields of a key that say nothing of one that is good for metrics alone."""


class Client(Struct, frozen=True):
    """The holder of a key: its name in the ledger, and the highest priority that it may ask for.

    Without a name nobody had to say who they are. Without a priority any may be asked for. `admin`
    says that the calls for operators are open. With `only` nothing is open but that.

    The rest is of keys of the accounts; `org` and `role` also of those of the configuration, where
    there are accounts. `title` is what people call the key, whose name in the ledger is its id.
    Empty `models` and `policies` allow all. `limits` are None where those of the configuration are
    meant. `until` is when the key stops working, as Unix time.
    """

    name: str | None = None
    priority: Priority | None = None
    admin: bool = False
    only: frozenset[Use] = frozenset()
    title: str | None = None
    org: str | None = None
    role: Literal["admin", "member", "viewer"] | None = None
    owner: Owner | None = None
    models: frozenset[str] = frozenset()
    policies: frozenset[str] = frozenset()
    limits: Limits | None = None
    budgets: tuple[Budget, ...] = ()
    passthrough: bool = True
    until: float | None = None

    @property
    def accounted(self) -> bool:
        """Whether its key is one of the accounts."""
        return self.title is not None


ANYBODY = Client(admin=True)
"""Where no key is configured: only loopback is served."""


class Keys:
    """The keys that clients may use. Without any, everybody who can connect is let in.

    Args:
        keys: those of the configuration.
        directory: those of the accounts; None where there are none. With accounts nobody is let in
            without a key.
        limits: of keys of the accounts, where they have none of their own.
        workers: that serve together; each may use its part of the limits.

    Raises:
        ConfigError: a key is empty, so that an empty header would open the gateway; or it is not
            clear what a key may do, or its holder.
    """

    def __init__(
        self,
        keys: Iterable[SecretStr | KeyConfig],
        directory: Directory | None = None,
        limits: Limits | None = None,
        workers: int = 1,
    ) -> None:
        # Looking a SHA-256 digest up leaks nothing about how much of a key was right.
        self._clients = _clients(keys)
        # Headers that were right before; hashing each anew would cost more than parsing a body.
        self._known: dict[bytes, Client] = {}
        self._directory = directory
        self._version = -1
        self._limits = limits or Limits()
        self._workers = workers

    def client(
        self, authorization: bytes | None, proves: str = _BEARER, use: Use | None = None
    ) -> Client:
        """The holder of the key in this `authorization` header.

        Args:
            proves: how to send a key, for those who sent none.
            use: what for, where keys that are good for that alone are let in too.

        Raises:
            AuthenticationFailed: no key, or an unknown one.
            NotPermitted: a key that is good for something else alone.
        """
        directory = self._directory
        if directory is not None:
            directory.look()
            if directory.version != self._version:
                self._follow(directory)
        elif not self._clients:
            return ANYBODY
        if authorization is None:
            raise AuthenticationFailed(
                f"No API key was given. Send one as {proves}.",
                param="authorization",
                code="missing_api_key",
            )
        known = self._known.get(authorization)
        if known is not None and (known.until is None or time.time() < known.until):
            return known
        scheme, _, key = authorization.partition(b" ")
        if scheme.lower() != b"bearer":
            raise AuthenticationFailed(
                "The authorization header is not of the form `Bearer <key>`.",
                param="authorization",
            )
        digest = hashlib.sha256(key.strip()).digest()
        client = self._clients.get(digest)
        if client is None and directory is not None:
            holder = directory.find(digest)
            client = None if holder is None else self._of(holder)
        if client is None:
            raise AuthenticationFailed(
                "The API key is not one of this gateway's, or not any more. Its keys are set in "
                "`server.api_keys` or TIERWISE_API_KEYS, or made with `tierwise keys create` where "
                "there are accounts; provider keys are not accepted here.",
                param="authorization",
            )
        if client.only:
            _check_use(client, use)
            return client  # not among the known, who are let in without a look at what for
        if len(self._known) < _KNOWN_HEADERS:
            self._known[authorization] = client
        return client

    def _follow(self, directory: Directory) -> None:
        """Forgets what was derived from accounts as they were before."""
        self._version = directory.version
        self._known.clear()
        self._clients = {
            digest: _placed(client, directory.shared) for digest, client in self._clients.items()
        }

    @property
    def guarded(self) -> bool:
        """Whether anybody needs a key."""
        return bool(self._clients) or self._directory is not None

    def holder(self, digest: bytes) -> Client | None:
        """The holder of the key of this digest (SHA-256); None where there is none, or no more.

        Raises:
            NotPermitted: the key is good for something alone, and so for no page.
        """
        directory = self._directory
        if directory is not None:
            directory.look()
            if directory.version != self._version:
                self._follow(directory)
        client = self._clients.get(digest)
        if client is None and directory is not None:
            holder = directory.find(digest)
            client = None if holder is None else self._of(holder)
        if client is not None and client.only:
            _check_use(client, None)
        return client

    def _of(self, holder: Holder) -> Client:
        """The holder of a key of the accounts, as requests know them."""
        key = holder.key
        own, usual = key.limits, self._limits
        limits = Limits(
            rpm=usual.rpm if own.rpm is None else own.rpm,
            tpm=usual.tpm if own.tpm is None else own.tpm,
            concurrency=usual.concurrency if own.concurrency is None else own.concurrency,
        )
        return Client(
            key.id,
            key.priority,
            key.gateway,
            title=key.name,
            org=key.org,
            role=holder.role,
            owner=Owner(key=key.id, user=key.user, team=key.team, org=key.org, tags=key.tags),
            models=frozenset(key.models),
            policies=frozenset(key.policies),
            limits=share_of(limits, self._workers),
            budgets=holder.budgets,
            passthrough=key.passthrough or key.gateway,
            until=holder.until,
        )


def _check_use(client: Client, use: Use | None) -> None:
    if use not in client.only:
        raise NotPermitted(
            f"This key is good for {' and '.join(sorted(client.only))} only, as `only` says in "
            "`server.api_keys`. Use another key here.",
            param="authorization",
        )


def _placed(client: Client, budgets: tuple[Budget, ...]) -> Client:
    """A key of the configuration where there are accounts: it belongs to the default organisation.

    It was given by whoever operates the gateway, so what it may do is not narrowed, but for the
    budgets of that organisation.
    """
    from tierwise.accounts.types import DEFAULT_ORG

    return msgspec.structs.replace(
        client,
        org=DEFAULT_ORG,
        role="admin" if client.admin else "member",
        owner=Owner(key=client.name, org=DEFAULT_ORG),
        budgets=budgets,
    )


def _clients(written: Iterable[SecretStr | KeyConfig]) -> dict[bytes, Client]:
    """The holders by the digests of their keys. Raises `ConfigError` as `Keys` does."""
    clients: dict[bytes, Client] = {}
    limits: dict[str, LimitsConfig | None] = {}
    for one in written:
        config = one if isinstance(one, KeyConfig) else KeyConfig(key=one)
        digest, client = _client(config)
        name = caller_of(config)
        if clients.setdefault(digest, client) != client:
            raise ConfigError(
                f"one key is written twice, with different rights ({clients[digest].name} and "
                f"{name})",
                field="server.api_keys",
                remedy="Write each key once; those of TIERWISE_API_KEYS are added to them.",
            )
        if limits.setdefault(name, config.limits) != config.limits:
            raise ConfigError(
                f"two keys of {name!r} have different limits, and a name has one allowance",
                field="server.api_keys",
                remedy="Give each key a name of its own, or both the same limits.",
            )
    return clients


def _client(config: KeyConfig) -> tuple[bytes, Client]:
    """A key's digest, and who holds it.

    Raises:
        ConfigError: the key is empty, or is to be good for metrics alone and for more.
    """
    key = config.key.get_secret_value().strip()
    if not key:
        raise ConfigError(
            "a key is empty",
            field="server.api_keys",
            remedy="Give it a value, or remove it; check the environment variable behind it.",
        )
    name, only = caller_of(config), frozenset(config.only or ())
    if only:
        more = [field for field in _MORE if getattr(config, field)]
        if more:
            raise ConfigError(
                f"the key of {name!r} is good for {' and '.join(sorted(only))} only, where "
                f"`{more[0]}` says nothing",
                field="server.api_keys",
                remedy=f"Leave out `{more[0]}`, or `only`.",
            )
    digest = hashlib.sha256(key.encode()).digest()
    return digest, Client(name, config.priority, config.admin, only)
