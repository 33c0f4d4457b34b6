"""`tierwise check`: is the configuration right, and do the deployments answer?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from tierwise.cli.configuration import (
    ConfigOption,
    Found,
    JsonOption,
    find_or_simulate,
    find_or_start,
)
from tierwise.cli.printing import print_json

if TYPE_CHECKING:
    from tierwise.config import Config, Setup
    from tierwise.config.mistakes import Mistakes
    from tierwise.config.serving import KeyConfig
    from tierwise.errors import ConfigError
    from tierwise.types import Deployment


def command(
    config: ConfigOption = None,
    ping: Annotated[bool, typer.Option("--ping", help="Call each deployment.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Validate the configuration; with --ping, call each deployment once.

    Exits with 2 if the configuration is wrong, with 1 if a deployment does not answer.
    """
    from tierwise.config.mistakes import each
    from tierwise.errors import ConfigError

    try:
        with find_or_start(config) if ping else nullcontext(find_or_simulate(config)) as found:
            setup = _validated(found.config)
            pings = asyncio.run(_ping(setup.all_deployments())) if ping else {}
    except ConfigError as error:
        if not as_json:
            raise
        _print_json({"ok": False, "errors": [_fields(one) for one in each(error)]})
        raise typer.Exit(2) from None
    failed = any(result["error"] for result in pings.values())
    if as_json:
        _print_json(
            {
                "ok": not failed,
                "errors": [],
                "warnings": [_fields(one) for one in found.config.origin.unset],
                "origin": found.origin,
                "models": sorted(setup.models),
                "deployments": [d.id for d in setup.all_deployments()],
                "embeddings": [d.id for group in setup.embeddings.values() for d in group],
                "policies": sorted(setup.policies),
                "keys": [
                    {"name": name, "admin": key.admin, "only": key.only}
                    for name, key in _keys(found.config)
                ],
                "router": found.config.router.artifact,
                "ledger": _ledger(found.config),
                "ledger_keep_days": found.config.ledger.keep_days,
                "ping": pings or None,
            }
        )
    else:
        _show(found, setup.everywhere(), pings, failed)
    if failed:
        raise typer.Exit(1)


def _validated(config: Config) -> Setup:
    """What the configuration describes, with every name in it known."""
    from tierwise.config import build
    from tierwise.config.mistakes import Mistakes
    from tierwise.config.schema import NONE
    from tierwise.gates import load_gates
    from tierwise.routing.artifact import configured
    from tierwise.server.exposure import check_exposure

    setup = build(config)
    mistakes = Mistakes(config.origin)
    with mistakes.noted():
        check_exposure(config)
    if config.ledger.url is not None:
        from tierwise.storage.engine import open_engine

        with mistakes.noted(at="ledger.url"):
            open_engine(config.ledger.place)
    if config.router.artifact != NONE:
        with mistakes.noted(at="router.artifact"):
            configured(config.router.artifact)
    for name, policy in config.policies.items():
        with mistakes.noted(at=f"policies.{name}.gates"):
            load_gates(policy.gates)
        for index, tier in enumerate(policy.tiers):
            with mistakes.noted(at=f"policies.{name}.tiers.{index}.gates"):
                load_gates(tier.gates or ())
    if config.guardrails:
        from tierwise.guardrails.build import rule_of

        for name, guardrail in config.guardrails.items():
            with mistakes.noted():
                rule_of(name, guardrail)
    _look_at_who_is_asked(config, setup, mistakes)
    _look_at_what_serving_needs(config, mistakes)
    mistakes.raise_any()
    return setup


def _look_at_who_is_asked(config: Config, setup: Setup, mistakes: Mistakes) -> None:
    """Notes, once for each provider, a dialect that nobody speaks, and what speaking it lacks here:
    a package that is not installed, a region that nobody said."""
    from tierwise.providers import load_adapter
    from tierwise.providers.embedding import load_embedding_adapter

    vectors = [d for group in setup.embeddings.values() for d in group]
    for name in config.providers:
        found: list[tuple[Callable[[Deployment], object], Deployment]] = []
        with mistakes.noted(at=f"providers.{name}.dialect"):
            answer = [d for d in setup.all_deployments() if d.provider == name]
            found += [(load_adapter(d.dialect), d) for d in answer]
        with mistakes.noted(at=f"providers.{name}.embeddings"):
            embed = [d for d in vectors if d.provider == name]
            found += [(load_embedding_adapter(d.dialect), d) for d in embed]
        with mistakes.noted():
            for adapter, deployment in found:
                adapter(deployment)


def _look_at_what_serving_needs(config: Config, mistakes: Mistakes) -> None:
    """Notes files that are not there or not usable, and libraries that are not installed."""
    from pathlib import Path

    from tierwise.errors import ConfigError

    if config.server.tls is not None:
        from tierwise.server.tls import context_for

        with mistakes.noted():
            context_for(config.server.tls)
    if config.state.url is not None:
        from tierwise.state.shared.connection import client_of

        with mistakes.noted():
            client_of(config.state)
            ca_file = config.state.ca_file
            if ca_file is not None and not Path(ca_file).is_file():
                raise ConfigError(
                    f"there is no file {ca_file}",
                    field="state.ca_file",
                    remedy="Name one in PEM, or leave it out to trust whom the system trusts.",
                )
    if config.dashboard.enabled and config.dashboard.oidc is not None:
        with mistakes.noted():
            import tierwise.dashboard.oidc  # noqa: F401 - it says itself what it lacks


def _keys(config: Config) -> list[tuple[str, KeyConfig]]:
    """The keys of clients, each with the name of its holder."""
    from tierwise.config.clients import caller_of
    from tierwise.config.serving import KeyConfig

    written = config.server.api_keys
    keys = [key if isinstance(key, KeyConfig) else KeyConfig(key=key) for key in written]
    return [(caller_of(key), key) for key in keys]


def _narrow(config: Config) -> list[tuple[str, str]]:
    """The names of keys that are good for something alone, and for what."""
    return [(name, " and ".join(key.only)) for name, key in _keys(config) if key.only]


def _ledger(config: Config) -> str:
    """Where the ledger is, without the password that its URL may hold."""
    if config.ledger.url is None:
        return config.ledger.path
    from tierwise.storage.engine import shown

    return shown(config.ledger.place)


def _kept(config: Config) -> str:
    """For how long the ledger keeps what."""
    days = config.ledger.keep_days
    if days is None:
        return "every request"
    return f"requests for {days:g} days, what they added up to for good"


def _fields(error: ConfigError) -> dict[str, object]:
    return {
        "file": error.file,
        "line": error.line,
        "field": error.field,
        "message": error.message,
        "remedy": error.remedy,
    }


def _print_json(answer: dict[str, object]) -> None:
    print_json(answer)


def _show(
    found: Found,
    deployments: Sequence[Deployment],
    pings: Mapping[str, Mapping[str, object]],
    failed: bool,
) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    unset = {error.field for error in found.config.origin.unset}
    for warning in found.config.origin.unset:
        typer.echo(f"tierwise: warning: {warning}", err=True)
    console = Console()
    word = "[red]failed[/]" if failed else "[green]ok[/]"
    console.print(f"{word} {escape(found.origin)}")
    console.print(f"router: {escape(found.config.router.artifact)}")
    console.print(f"ledger: {escape(_ledger(found.config))}")
    console.print(f"kept: {_kept(found.config)}")
    for name, only in _narrow(found.config):
        console.print(escape(f"key {name}: good for {only} only"))
    for line in _guardrails(found.config):
        console.print(escape(line))
    table = Table("deployment", "model", "in $/M", "out $/M", "key", "ping")
    for d in deployments:
        key = "yes" if d.api_key else "no"
        result = pings.get(d.id)
        said = "" if result is None else (result["error"] or f"{result['latency_s']:.2f} s")
        table.add_row(
            d.id, d.model, f"{d.prices.input:g}", f"{d.prices.output:g}",
            "unset" if f"providers.{d.provider}.api_key" in unset else key, escape(str(said)),
        )  # fmt: skip
    console.print(table)


def _guardrails(config: Config) -> list[str]:
    """A line for each guardrail: what it does, where, and on whose requests."""
    if not config.guardrails:
        return []
    from tierwise.guardrails.build import rule_of
    from tierwise.guardrails.patterns import Patterns

    lines = []
    for name, one in config.guardrails.items():
        rule = rule_of(name, one)
        users = sorted(n for n, policy in config.policies.items() if name in policy.guardrails)
        whose = "all" if one.always else ", ".join(users) or "nobody: no policy names it"
        does = {"note": "notes", "mask": "masks", "refuse": "refuses"}[rule.action]
        sides = " and ".join(f"{side}s" for side in sorted(rule.sides, reverse=True))
        unseen = "; what it cannot look into is refused" if rule.refuses_unseen else ""
        lines.append(f"guardrail {name}: {one.kind}, {does}, {sides} of {whose}{unseen}")
        if isinstance(rule.guardrail, Patterns) and rule.guardrail.slow:
            slow = ", ".join(rule.guardrail.slow)
            lines.append(f"  searched for in a process of their own, which takes longer: {slow}")
    return lines


async def _ping(deployments: Sequence[Deployment]) -> dict[str, dict[str, object]]:
    """One tiny request to each deployment, all at once."""
    import time

    import msgspec

    from tierwise.errors import TierwiseError
    from tierwise.providers import Transport, load_adapter
    from tierwise.providers.translating import speaking
    from tierwise.wire.openai_chat import read_request

    transport = Transport()

    async def one(deployment: Deployment) -> dict[str, object]:
        body = {
            "model": deployment.model,
            "messages": [{"role": "user", "content": "Say ok."}],
            "max_tokens": 16,
        }
        began = time.monotonic()
        try:
            task = read_request(msgspec.json.encode(body))
            adapter = speaking(load_adapter(deployment.dialect)(deployment), task)
            response = await transport.send(adapter.request(task), 20.0)
            if response.status != 200:
                raise adapter.error(response.status, response.headers, response.body)
            adapter.reply(response.body, task)
        except TierwiseError as error:
            return {"error": f"{getattr(error, 'kind', 'error')}: {error}", "latency_s": None}
        return {"error": None, "latency_s": round(time.monotonic() - began, 3)}

    try:
        results = await asyncio.gather(*(one(d) for d in deployments))
    finally:
        await transport.close()
    return {d.id: result for d, result in zip(deployments, results, strict=True)}
