"""`tierwise check`: is the configuration right, and do the deployments answer?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from tierwise.cli.configuration import ConfigOption, JsonOption, find_or_simulate

if TYPE_CHECKING:
    from tierwise.types import Deployment


def command(
    config: ConfigOption = None,
    ping: Annotated[bool, typer.Option("--ping", help="Call each deployment.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Validate the configuration; with --ping, call each deployment once."""
    import asyncio

    import msgspec
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from tierwise.config import build
    from tierwise.gates import load_gates
    from tierwise.providers import load_adapter
    from tierwise.server.run import check_exposure

    found = find_or_simulate(config)
    setup = build(found.config)
    check_exposure(found.config)
    for policy in setup.policies.values():
        load_gates([*policy.gates, *(gate for tier in policy.tiers for gate in tier.gates)])
    for deployment in setup.all_deployments():
        load_adapter(deployment.dialect)
    pings = asyncio.run(_ping(setup.all_deployments())) if ping else {}
    failed = any(result["error"] for result in pings.values())
    if as_json:
        answer = {
            "ok": not failed,
            "origin": found.origin,
            "models": sorted(setup.models),
            "deployments": [d.id for d in setup.all_deployments()],
            "policies": sorted(setup.policies),
            "ping": pings or None,
        }
        typer.echo(msgspec.json.encode(answer).decode())
    else:
        console = Console()
        word = "[red]failed[/]" if failed else "[green]ok[/]"
        console.print(f"{word} {escape(found.origin)}")
        table = Table("deployment", "model", "in $/M", "out $/M", "key", "ping")
        for d in setup.all_deployments():
            result = pings.get(d.id)
            said = "" if result is None else (result["error"] or f"{result['latency_s']:.2f} s")
            table.add_row(
                d.id, d.model, f"{d.prices.input:g}", f"{d.prices.output:g}",
                "yes" if d.api_key else "no", escape(str(said)),
            )  # fmt: skip
        console.print(table)
    if failed:
        raise typer.Exit(1)


async def _ping(deployments: Sequence[Deployment]) -> dict[str, dict[str, object]]:
    """One tiny request to each deployment, all at once."""
    import asyncio
    import time

    import msgspec

    from tierwise.errors import TierwiseError
    from tierwise.providers import Transport, load_adapter
    from tierwise.wire.openai_chat import read_request

    transport = Transport()

    async def one(deployment: Deployment) -> dict[str, object]:
        body = {
            "model": deployment.model,
            "messages": [{"role": "user", "content": "Say ok."}],
            "max_tokens": 16,
        }
        adapter = load_adapter(deployment.dialect)(deployment)
        began = time.monotonic()
        try:
            request = adapter.request(read_request(msgspec.json.encode(body)))
            response = await transport.send(request, 20.0)
            if response.status != 200:
                raise adapter.error(response.status, response.headers, response.body)
            adapter.reply(response.body)
        except TierwiseError as error:
            return {"error": f"{getattr(error, 'kind', 'error')}: {error}", "latency_s": None}
        return {"error": None, "latency_s": round(time.monotonic() - began, 3)}

    try:
        results = await asyncio.gather(*(one(d) for d in deployments))
    finally:
        await transport.close()
    return {d.id: result for d, result in zip(deployments, results, strict=True)}
