"""`tierwise calibrate --restore`: an operator says that a certificate holds again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tierwise.cli.printing import print_json
from tierwise.errors import ConfigError

if TYPE_CHECKING:
    from tierwise.config.keeping import StateConfig


def restore(policy: str, config: Path | None, *, makes: bool, as_json: bool) -> None:
    """Takes away the note that drift has voided a policy's certificate, and says what it said.

    Where replicas share their state, those that start from now on are not told of it any more.

    Args:
        makes: whether the same command line asks for a new certificate, which is another matter.

    Raises:
        ConfigError: so it does, there is no such policy or certificate, the note cannot be
            removed, or Redis is not there.
    """
    from tierwise.certificate import Certificate, digest
    from tierwise.cli.configuration import find
    from tierwise.state.void import kept_note

    if makes:
        raise ConfigError(
            "to restore a certificate is not to make one",
            field="--restore",
            remedy="Leave --outcomes, --out and --validate out, or --restore.",
        )
    configured = find(config, needs_keys=False)
    settings = configured.config.policies.get(policy) if configured is not None else None
    if configured is None or settings is None or settings.certificate is None:
        raise ConfigError(
            f"policy {policy!r} has no certificate in the configuration",
            field="--policy",
            remedy="Name one that has, and its configuration with --config.",
        )
    certificate = Certificate.load(Path(settings.certificate))
    told = _forget(configured.config.state, policy, digest(certificate))
    note = kept_note(configured.config.ledger.path, policy, digest(certificate))
    try:
        void = note.remove() if note is not None else None
    except OSError as error:
        raise ConfigError(
            f"the note cannot be removed: {error.strerror}", file=str(error.filename)
        ) from None
    if as_json:
        said = {"policy": policy, "restored": told or void is not None, "void": void}
        print_json(said)
    elif void is None and told:
        typer.echo(
            f"restored the certificate of policy {policy} for the replicas. It holds from the next "
            "start of each on, where no file beside its ledger says otherwise."
        )
    elif void is None:
        typer.echo(f"nothing to restore: no drift has voided the certificate of policy {policy}")
    else:
        typer.echo(
            f"restored the certificate of policy {policy}, void since {void.day}: {void.reason}. "
            "It holds from the next start of the gateway on."
        )


def _forget(state: StateConfig, policy: str, certificate: str) -> bool:
    """Has Redis forget that a certificate, named by its hash, is void; whether it was told so.

    Raises:
        ConfigError: it is not there.
    """
    if state.url is None:
        return False
    import asyncio

    from tierwise.state.shared import voids
    from tierwise.state.shared.connection import Lost

    try:
        return asyncio.run(voids.forget(state, policy, certificate))
    except Lost as error:
        raise ConfigError(
            f"nothing is restored, as Redis, which tells it to the replicas, is not there: {error}",
            field="state.url",
            remedy="Try again when it is.",
        ) from None
