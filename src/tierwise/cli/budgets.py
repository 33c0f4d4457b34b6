"""`tierwise budgets`: how much may be spent, set and listed in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tierwise.cli.accounts_database import (
    DatabaseOption,
    OrgOption,
    converted,
    day_of,
    open_accounts,
    org_of,
)
from tierwise.cli.configuration import ConfigOption, JsonOption
from tierwise.cli.printing import print_json, print_table

if TYPE_CHECKING:
    from tierwise.accounts.accounts import Accounts
    from tierwise.budget import Budget

app = typer.Typer(help="Set and list budgets; the gateway may be running.", no_args_is_help=True)


@app.command("set")
def set_(
    period: Annotated[str, typer.Option(help="day, week, month (of UTC) or total.")],
    key: Annotated[str | None, typer.Option(help="Of a key, by id or name; or")] = None,
    user: Annotated[str | None, typer.Option(help="of a user; or")] = None,
    team: Annotated[str | None, typer.Option(help="of a team; or")] = None,
    org: Annotated[str | None, typer.Option(help="of an organisation.")] = None,
    soft: Annotated[float | None, typer.Option(help="USD after which callers are warned.")] = None,
    hard: Annotated[float | None, typer.Option(help="USD after which they are refused.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the budget away.")] = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set the budget of one owner and period; what is not given is without bound."""
    import msgspec

    from tierwise.errors import ConfigError

    given = {"key": key, "user": user, "team": team, "org": org}
    owners = {scope: name for scope, name in given.items() if name is not None}
    if len(owners) != 1:
        raise ConfigError(
            f"{len(owners)} owners are given",
            field="--key, --user, --team, --org",
            remedy="Give one of them.",
        )
    ((scope, owner),) = owners.items()
    with open_accounts(config, database) as accounts:
        if remove:
            budget = _remove(accounts, scope, owner, period)
        else:
            budget = _set(accounts, scope, owner, period, soft, hard)
    if as_json:
        print_json(msgspec.to_builtins(budget))
        return
    bounds = "removed" if remove else f"soft {_usd(soft)}, hard {_usd(hard)}"
    typer.echo(f"{budget.id}: {budget.words}, {bounds}")


@app.command("list")
def list_(
    org: OrgOption = None,
    database: DatabaseOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List budgets, with what the ledger says is spent of each in its present period."""
    import time

    import msgspec

    from tierwise.accounts.kinds import BUDGET
    from tierwise.accounts.types import OPERATOR
    from tierwise.budget import began_at, renews_at
    from tierwise.ledger.spent import LedgerSpending

    now = time.time()
    with open_accounts(config, database) as accounts:
        budgets = list(accounts.store.all(OPERATOR, BUDGET, org=org_of(accounts, org)))
        spent = LedgerSpending(accounts.database.engine)
        amounts = [spent(one.scope, one.owner, began_at(one.period, now)) for one in budgets]
    if as_json:
        print_json(
            [
                {**msgspec.to_builtins(one), "spent_usd": amount}
                for one, amount in zip(budgets, amounts, strict=True)
            ]
        )
        return
    print_table(
        ("id", "budget", "spent USD", "soft", "hard", "renews"),
        [
            (
                one.id,
                one.words,
                f"{amount:.6g}",
                _usd(one.soft_usd),
                _usd(one.hard_usd),
                day_of(renews_at(one.period, now)),
            )
            for one, amount in zip(budgets, amounts, strict=True)
        ],
    )


def _set(
    accounts: Accounts, scope: str, owner: str, period: str, soft: float | None, hard: float | None
) -> Budget:
    from tierwise.accounts.kinds import OWNERS
    from tierwise.accounts.types import OPERATOR
    from tierwise.accounts.wanted import BudgetChange, NewBudget

    store = accounts.store
    name = store.named(OPERATOR, OWNERS[scope], owner).id
    new = converted(NewBudget, scope=scope, owner=name, period=period, soft_usd=soft, hard_usd=hard)
    there = store.budget_of(new.scope, name, new.period)
    if there is None:
        return store.create_budget(OPERATOR, new)
    change = BudgetChange(soft_usd=new.soft_usd, hard_usd=new.hard_usd)
    return store.change_budget(OPERATOR, there, change)


def _remove(accounts: Accounts, scope: str, owner: str, period: str) -> Budget:
    from tierwise.accounts.kinds import OWNERS
    from tierwise.accounts.types import OPERATOR
    from tierwise.errors import ConfigError

    store = accounts.store
    name = store.named(OPERATOR, OWNERS[scope], owner).id
    there = store.budget_of(scope, name, period)
    if there is None:
        raise ConfigError(
            f"there is no budget of {owner!r} and this period",
            remedy="See `tierwise budgets list`.",
        )
    return store.delete_budget(OPERATOR, there)


def _usd(amount: float | None) -> str:
    return "none" if amount is None else f"{amount:g}"
