"""`tierwise route`: what would happen to a prompt, and why. Asks no model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tierwise.cli.configuration import ConfigOption, JsonOption, find_or_simulate

if TYPE_CHECKING:
    from tierwise.types import Decision


def command(
    prompt: Annotated[str, typer.Argument(help="The prompt; - reads standard input.")],
    policy: Annotated[str, typer.Option("--policy", "-p", help="Policy or model.")] = "auto",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the plan for a prompt and everything it was chosen from."""
    import sys

    import msgspec

    from tierwise.orchestrator import Orchestrator
    from tierwise.wire.openai_chat import read_request

    text = sys.stdin.read() if prompt == "-" else prompt
    found = find_or_simulate(config).config
    aside = found.ledger.model_copy(update={"path": ":memory:"})
    orchestrator = Orchestrator.from_config(found.model_copy(update={"ledger": aside}))
    body = {"model": policy, "messages": [{"role": "user", "content": text}]}
    decision = orchestrator.decide(read_request(msgspec.json.encode(body)))
    if as_json:
        typer.echo(msgspec.json.encode(decision).decode())
    else:
        _show(decision)


def _show(decision: Decision) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    console = Console()
    profile = decision.profile
    console.print(
        f"[bold]{profile.kind}[/] in [bold]{profile.domain}[/], difficulty "
        f"{profile.difficulty:.2f}, about {profile.input_tokens} tokens in and "
        f"{profile.output_tokens} out"
        + (f", in {profile.language}" if profile.language else "")
        + (f", needs {', '.join(sorted(profile.requires))}" if profile.requires else "")
    )
    named = Column("model", no_wrap=True)
    table = Table(named, "part", "quality", "at least", "cost $", "latency s", "why")
    order = {"tier": 0, "fallback": 1, "unused": 2, "excluded": 3}
    for candidate in sorted(decision.candidates, key=lambda c: order[c.role]):
        e = candidate.estimate
        numbers = (
            (f"{e.quality:.2f}", f"{e.quality_low:.2f}", f"{e.cost_usd:.6f}", f"{e.latency_s:.1f}")
            if e is not None
            else ("", "", "", "")
        )
        table.add_row(candidate.model, candidate.role, *numbers, escape(candidate.why))
    if decision.candidates:
        console.print(table)
    for number, tier in enumerate(decision.plan.tiers, start=1):
        gates = f", accepted by {', '.join(tier.gates)}" if tier.gates else ""
        console.print(f"tier {number}: [bold]{tier.model}[/]{gates}")
    console.print(escape(decision.reason))
    if decision.rate is not None:
        console.print(f"[dim]one cent is worth {decision.rate / 100:.3g} of quality[/]")
