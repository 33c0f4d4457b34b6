"""`tierwise keys`: virtual keys, made, listed, rotated and revoked in the database."""

from __future__ import annotations

from typing import Annotated

import typer

from tierwise.cli.accounts_database import (
    DatabaseOption,
    OrgOption,
    check_configured,
    converted,
    day_of,
    names_of_orgs,
    open_accounts,
    org_of,
)
from tierwise.cli.arguments import listed
from tierwise.cli.configuration import ConfigOption, JsonOption
from tierwise.cli.printing import print_json, print_table

app = typer.Typer(
    help="Make, list, rotate and revoke virtual keys; the gateway may be running.",
    no_args_is_help=True,
)
KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="Its id or name.")]


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What people call it.")],
    org: OrgOption = None,
    team: Annotated[str | None, typer.Option(help="Team, by id or name.")] = None,
    user: Annotated[str | None, typer.Option(help="User, by id or name.")] = None,
    role: Annotated[str, typer.Option(help="admin, member or viewer.")] = "member",
    models: Annotated[str, typer.Option(help="Only these, with commas between.")] = "",
    policies: Annotated[str, typer.Option(help="Only these, with commas between.")] = "",
    tags: Annotated[str, typer.Option(help="For reports, with commas between.")] = "",
    priority: Annotated[str | None, typer.Option(help="high, normal or low.")] = None,
    rpm: Annotated[float | None, typer.Option(help="Requests a minute.")] = None,
    tpm: Annotated[float | None, typer.Option(help="Tokens a minute.")] = None,
    concurrency: Annotated[int | None, typer.Option(help="Requests at a time.")] = None,
    days: Annotated[float | None, typer.Option(help="After so many it expires.", min=0)] = None,
    gateway: Annotated[bool, typer.Option("--gateway", help="Operates the gateway.")] = False,
    passthrough: Annotated[
        bool, typer.Option("--passthrough", help="May use what is passed through.")
    ] = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key. Its secret is printed once, on stdout, and not kept."""
    import time

    import msgspec

    from tierwise.accounts.kinds import TEAM, USER
    from tierwise.accounts.types import OPERATOR
    from tierwise.accounts.wanted import NewKey

    with open_accounts(config, database) as accounts:
        store = accounts.store
        wanted = converted(
            NewKey,
            name=name,
            org=org_of(accounts, org),
            team=None if team is None else store.named(OPERATOR, TEAM, team).id,
            user=None if user is None else store.named(OPERATOR, USER, user).id,
            role=role,
            gateway=gateway,
            passthrough=passthrough,
            models=listed(models),
            policies=listed(policies),
            tags=listed(tags),
            priority=priority,
            rpm=rpm,
            tpm=tpm,
            concurrency=concurrency,
            expires_at=None if days is None else time.time() + days * 86_400,
        )
        check_configured(config, database, wanted.models, wanted.policies)
        key, secret = accounts.keyring.create(OPERATOR, wanted)
    if as_json:
        print_json({**msgspec.to_builtins(key), "secret": secret.value})
        return
    typer.echo(f"{key.id} ({key.name}): this is shown only now", err=True)
    typer.echo(secret.value)


@app.command("list")
def list_(
    org: OrgOption = None,
    database: DatabaseOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List keys, without their secrets."""
    import msgspec

    from tierwise.accounts.kinds import KEY
    from tierwise.accounts.types import OPERATOR

    with open_accounts(config, database) as accounts:
        keys = list(accounts.store.all(OPERATOR, KEY, org=org_of(accounts, org)))
        orgs = names_of_orgs(accounts)
    if as_json:
        print_json(msgspec.to_builtins(keys))
        return
    print_table(
        ("id", "name", "begins", "org", "role", "expires", "state"),
        [
            (
                key.id,
                key.name,
                key.prefix,
                orgs[key.org],
                "gateway" if key.gateway else key.role,
                day_of(key.expires_at),
                "revoked" if key.revoked_at is not None else "",
            )
            for key in keys
        ],
    )


@app.command("rotate")
def rotate(
    key: KeyArgument,
    overlap: Annotated[
        float, typer.Option(help="Seconds for which old secrets stay valid.", min=0, max=2_592_000)
    ] = 0.0,
    database: DatabaseOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a key a new secret, which is printed once, on stdout."""
    import msgspec

    from tierwise.accounts.kinds import KEY
    from tierwise.accounts.types import OPERATOR

    with open_accounts(config, database) as accounts:
        found = accounts.store.named(OPERATOR, KEY, key)
        rotated, secret = accounts.keyring.rotate(OPERATOR, found.id, overlap)
    if as_json:
        print_json({**msgspec.to_builtins(rotated), "secret": secret.value})
        return
    typer.echo(f"{rotated.id} ({rotated.name}): this is shown only now", err=True)
    typer.echo(secret.value)


@app.command("revoke")
def revoke(
    key: KeyArgument,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """End a key for good; gateways on this machine refuse it from the next request on."""
    from tierwise.accounts.kinds import KEY
    from tierwise.accounts.types import OPERATOR

    with open_accounts(config, database) as accounts:
        found = accounts.store.named(OPERATOR, KEY, key)
        accounts.keyring.revoke(OPERATOR, found.id)
    typer.echo(f"{found.id} ({found.name}) is revoked")
