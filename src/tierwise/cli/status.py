"""`tierwise status`: how a running gateway and its deployments are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tierwise.cli.configuration import JsonOption

if TYPE_CHECKING:
    from rich.table import Table

_TIMEOUT_S = 5.0
_DEFAULT_URL = "http://127.0.0.1:4100"


def command(
    url: Annotated[str, typer.Option(help="Where the gateway listens.")] = _DEFAULT_URL,
    key: Annotated[
        str | None,
        typer.Option(
            help="One of its keys, if it has any; default: the first of $TIERWISE_API_KEYS."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show every deployment of a running gateway: is it well, how busy, how quick, what failed."""
    import json

    found = _fetch(url.rstrip("/").removesuffix("/v1"), key)
    if as_json:
        typer.echo(json.dumps(found))
        return
    from rich.console import Console

    console = Console()
    for line in _head(found):
        console.print(line, highlight=False)
    console.print(_deployments(found["deployments"]))


def _fetch(url: str, key: str | None) -> dict[str, Any]:
    import json
    import urllib.error
    import urllib.request

    from tierwise.errors import ConfigError

    if key is None:
        key = os.environ.get("TIERWISE_API_KEYS", "").split(",")[0].strip() or None
    headers = {"authorization": f"Bearer {key}"} if key else {}
    if not url.startswith(("http://", "https://")):
        raise ConfigError(
            f"{url!r} is no address", field="--url", remedy=f"Write it as {_DEFAULT_URL}."
        )
    request = urllib.request.Request(f"{url}/v1/status", headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
            found: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as error:
        raise ConfigError(
            f"{url} answered {error.code}",
            field="--key" if error.code == 401 else "--url",
            remedy="Give one of its keys." if error.code == 401 else "Is it a Tierwise gateway?",
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"nobody answers at {url}: {error}",
            field="--url",
            remedy="Start the gateway with `tierwise serve`, or name its address.",
        ) from None
    return found


def _head(found: Mapping[str, Any]) -> list[str]:
    from rich.markup import escape

    door, config = found["admission"], found["config"]
    worker = f", worker {found['worker']} of {found['workers']}" if found["workers"] > 1 else ""
    lines = [
        f"[bold]{found['state']}[/]{worker}, up {found['uptime_s']:.0f} s, Tierwise "
        f"{found['version']}, {config['file'] or 'without a file'}"
        + (f", reloaded {config['reloads']} times" if config["reloads"] else ""),
        f"{door['inside']} of {door['most']} requests inside, {door['waiting']} waiting, "
        f"{door['turned_away']} turned away",
    ]
    lines += _databases(found)
    if "shared" in found:
        lines.append(_shared(found["shared"]))
    if config["refused"]:
        lines.append(f"[red]the file was refused: {escape(config['refused'])}[/]")
    return lines


def _databases(found: Mapping[str, Any]) -> list[str]:
    """What is wrong with the ledger and the accounts; nothing where all is well."""
    from rich.markup import escape

    ledger, lines = found["ledger"], []
    if ledger["last_error"] is not None:
        why = escape(ledger["last_error"])
        lines.append(f"[red]the ledger cannot be written, {ledger['pending']} wait: {why}[/]")
    if ledger["dropped"]:
        lines.append(f"[red]{ledger['dropped']} records of the ledger were lost[/]")
    if "accounts" in found and (error := found["accounts"]["last_error"]) is not None:
        lines.append(
            f"[red]accounts cannot be read, what is known of them stays good: {escape(error)}[/]"
        )
    return lines


def _shared(shared: Mapping[str, Any]) -> str:
    from rich.markup import escape

    replicas = shared["replicas"]
    if shared["status"] == "connected":
        return f"state is shared by {replicas} replicas"
    why = escape(shared["why"])
    return f"[yellow]Redis is lost, and each of {replicas} replicas goes on by itself: {why}[/]"


def _deployments(deployments: list[dict[str, Any]]) -> Table:
    from rich import box
    from rich.markup import escape
    from rich.table import Column, Table

    names = ("calls", "10 s", "failed", "p95 s", "price")
    table = Table(
        Column("deployment", overflow="fold"),
        Column("state", no_wrap=True),
        *(Column(name, justify="right", no_wrap=True) for name in names),
        Column("why, or what failed last", overflow="fold"),
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for one in deployments:
        color = "" if one["state"] == "ready" else "[yellow]"
        table.add_row(
            escape(one["id"]),
            f"{color}{one['state']}",
            str(one["in_flight"]),
            str(one["calls"]),
            str(one["failed"]),
            "" if one["p95_s"] is None else f"{one['p95_s']:.2f}",
            f"{one['shadow_price']:.2f}" if one["shadow_price"] else "",
            escape(_why(one)),
        )
    return table


def _why(one: Mapping[str, Any]) -> str:
    if one["why"]:
        return str(one["why"])
    if one["last_error"] is None:
        return ""
    return f"{one['last_error_age_s']:.0f} s ago: {one['last_error']}"
