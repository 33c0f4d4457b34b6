"""`tierwise accounts`: organisations, teams and users, the first key, and who did what."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tierwise.cli.accounts_database import (
    DatabaseOption,
    OrgOption,
    converted,
    day_of,
    names_of_orgs,
    open_accounts,
    org_of,
)
from tierwise.cli.configuration import ConfigOption, JsonOption
from tierwise.cli.printing import print_json, print_table

app = typer.Typer(
    help="Organisations, teams and users, and what was done to them.", no_args_is_help=True
)
NameArgument = Annotated[str, typer.Argument(help="What it is called.")]
OneArgument = Annotated[str, typer.Argument(metavar="ID", help="Its id or name.")]


@app.command("bootstrap")
def bootstrap(
    force: Annotated[bool, typer.Option("--force", help="Even if there is one.")] = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Make a key that operates the gateway, if there is none; it is printed once, on stdout."""
    from tierwise.errors import ConfigError

    with open_accounts(config, database) as accounts:
        made = accounts.keyring.bootstrap(force=force)
    if made is None:
        raise ConfigError(
            "a key that operates the gateway is there already",
            remedy="Use it, or make another one with --force and revoke what is lost.",
        )
    key, secret = made
    typer.echo(f"{key.id} ({key.name}): this is shown only now", err=True)
    typer.echo(secret.value)


@app.command("org")
def org(
    name: NameArgument,
    database: DatabaseOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an organisation."""
    from tierwise.accounts.types import OPERATOR
    from tierwise.accounts.wanted import NewOrganisation

    with open_accounts(config, database) as accounts:
        wanted = converted(NewOrganisation, name=name)
        _show(accounts.store.create_organisation(OPERATOR, wanted), as_json)


@app.command("team")
def team(
    name: NameArgument,
    in_org: OrgOption = None,
    database: DatabaseOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a team."""
    from tierwise.accounts.types import OPERATOR
    from tierwise.accounts.wanted import NewTeam

    with open_accounts(config, database) as accounts:
        wanted = converted(NewTeam, name=name, org=org_of(accounts, in_org))
        _show(accounts.store.create_team(OPERATOR, wanted), as_json)


@app.command("user")
def user(
    name: Annotated[str, typer.Argument(help="What they sign in with, such as an address.")],
    role: Annotated[str, typer.Option(help="admin, member or viewer.")] = "member",
    in_team: Annotated[str | None, typer.Option("--team", help="By id or name.")] = None,
    in_org: OrgOption = None,
    database: DatabaseOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a user."""
    from tierwise.accounts.kinds import TEAM
    from tierwise.accounts.types import OPERATOR
    from tierwise.accounts.wanted import NewUser

    with open_accounts(config, database) as accounts:
        team = None if in_team is None else accounts.store.named(OPERATOR, TEAM, in_team).id
        wanted = converted(NewUser, name=name, role=role, team=team, org=org_of(accounts, in_org))
        _show(accounts.store.create_user(OPERATOR, wanted), as_json)


@app.command("end")
def end(
    what: Annotated[str, typer.Argument(help="org, team or user.")],
    one: OneArgument,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """End an organisation, a team or a user, and with it all of its keys."""
    from tierwise.accounts.kinds import OWNERS
    from tierwise.accounts.types import OPERATOR
    from tierwise.errors import ConfigError

    if what not in ("org", "team", "user"):
        raise ConfigError(f"{what!r} cannot be ended", remedy="Give org, team or user.")
    with open_accounts(config, database) as accounts:
        found = accounts.store.named(OPERATOR, OWNERS[what], one)
        accounts.store.end(OPERATOR, OWNERS[what], found.id)
    typer.echo(f"{found.id} ({found.name}) has ended")


@app.command("list")
def list_(
    database: DatabaseOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List organisations, teams and users."""
    import msgspec

    from tierwise.accounts.kinds import ORGANISATION, TEAM, USER
    from tierwise.accounts.types import OPERATOR

    with open_accounts(config, database) as accounts:
        kinds: tuple[Any, ...] = (ORGANISATION, TEAM, USER)
        found: dict[str, list[Any]] = {
            kind.noun: list(accounts.store.all(OPERATOR, kind)) for kind in kinds
        }
        orgs = names_of_orgs(accounts)
    if as_json:
        print_json({f"{noun}s": msgspec.to_builtins(some) for noun, some in found.items()})
        return
    rows = [
        (
            noun,
            one.id,
            one.name,
            orgs.get(getattr(one, "org", ""), ""),
            getattr(one, "role", ""),
            "ended" if one.ended_at is not None else "",
        )
        for noun, some in found.items()
        for one in some
    ]
    print_table(("what", "id", "name", "org", "role", "state"), rows)


@app.command("audit")
def audit(
    limit: Annotated[int, typer.Option(help="So many acts, the latest first.", min=1)] = 50,
    in_org: OrgOption = None,
    database: DatabaseOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who did what."""
    from itertools import islice

    import msgspec

    from tierwise.accounts.kinds import AUDIT
    from tierwise.accounts.types import OPERATOR

    with open_accounts(config, database) as accounts:
        org = org_of(accounts, in_org)
        acts = list(islice(accounts.store.all(OPERATOR, AUDIT, org=org), limit))
    if as_json:
        print_json(msgspec.to_builtins(acts))
        return
    rows = [(act.id, day_of(act.at), act.actor, act.action, act.target) for act in acts]
    print_table(("act", "at (UTC)", "who", "did", "to"), rows)


def _show(made: Any, as_json: bool) -> None:
    import msgspec

    if as_json:
        print_json(msgspec.to_builtins(made))
    else:
        typer.echo(f"{made.id} ({made.name})")
