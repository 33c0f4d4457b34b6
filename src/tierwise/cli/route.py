"""`tierwise route`: what would happen to a prompt, and why. Asks no model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from tierwise.cli.configuration import ConfigOption, JsonOption, find_or_simulate
from tierwise.cli.printing import print_json

if TYPE_CHECKING:
    from rich.table import Table

    from tierwise.types import Candidate, Decision

_NAME = 24
"""Columns that a model's name has in any case."""
_WIDE = 100
"""Columns of a terminal that has room for all that is estimated."""
_NAMES = ("quality", "low", "$/1k", "p90", "first s", "all s")
_NAMES_NARROW = ("quality", "low", "$/1k", "all s")


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
    aside = found.ledger.model_copy(update={"path": ":memory:", "url": None})
    orchestrator = Orchestrator.from_config(found.model_copy(update={"ledger": aside}))
    body = {"model": policy, "messages": [{"role": "user", "content": text}]}
    decision = orchestrator.decide(read_request(msgspec.json.encode(body)))
    if as_json:
        print_json(decision)
    else:
        _show(decision)


def _show(decision: Decision) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console()
    if decision.policy is not None:
        # For a caller who names a model nothing is read.
        console.print(_profile(decision), highlight=False)
    if decision.candidates:
        console.print(_candidates(decision, wide=console.width >= _WIDE))
    for number, tier in enumerate(decision.plan.tiers, start=1):
        gates = f", accepted by {', '.join(tier.gates)}" if tier.gates else ""
        console.print(f"tier {number}: [bold]{tier.model}[/]{gates}")
    if decision.plan.fallbacks:
        console.print(f"behind them: {', '.join(decision.plan.fallbacks)}", highlight=False)
    console.print(escape(decision.reason))
    if decision.guard and decision.guard not in decision.reason:
        console.print(f"guard: {escape(decision.guard)}", highlight=False)
    if decision.router:
        console.print(f"[dim]predicted by {escape(_predictors(decision.router))}[/]")
    if decision.rate is not None:
        console.print(f"[dim]one cent is worth {decision.rate / 100:.3g} of quality[/]")


def _profile(decision: Decision) -> str:
    profile = decision.profile
    also = f" (also {', '.join(sorted(profile.also))})" if profile.also else ""
    return (
        f"[bold]{profile.kind}[/] in [bold]{profile.domain}[/]{also}, difficulty "
        f"{profile.difficulty:.2f}, about {profile.input_tokens} tokens in and "
        f"{profile.output_tokens} out"
        + (", commodity" if profile.commodity else "")
        + (f", in {profile.language}" if profile.language else "")
        + (f", needs {', '.join(sorted(profile.requires))}" if profile.requires else "")
    )


def _candidates(decision: Decision, *, wide: bool) -> Table:
    """Every candidate in the order in which it would be asked; costs are per 1,000 requests.

    A narrow table leaves out what is least asked for: the dearest cost, and the wait for the first
    word.
    """
    from rich import box
    from rich.markup import escape
    from rich.table import Column, Table

    plan = decision.plan
    asked = [*(tier.model for tier in plan.tiers), *plan.fallbacks]
    place = {model: number for number, model in enumerate(asked)}
    names = _NAMES if wide else _NAMES_NARROW
    table = Table(
        Column("model", overflow="fold", min_width=min(_NAME, max(map(len, place), default=0))),
        *(Column(name, justify="right", no_wrap=True) for name in names),
        Column("part", no_wrap=True),
        Column("why", overflow="fold"),
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for candidate in sorted(decision.candidates, key=lambda c: place.get(c.model, len(place))):
        numbers = _numbers(candidate)
        part, why = _part(candidate, len(plan.tiers), place)
        table.add_row(
            escape(candidate.model), *(numbers.get(name, "") for name in names), part, escape(why)
        )
    return table


def _numbers(candidate: Candidate) -> dict[str, str]:
    """What is estimated of a candidate, by the names of the columns."""
    e = candidate.estimate
    if e is None:
        return {}
    return {
        "quality": f"{e.quality:.3f}",
        "low": f"{e.quality_low:.2f}",
        "$/1k": f"{1000 * e.cost_usd:.3g}",
        "p90": f"{1000 * e.cost_p90_usd:.3g}",
        "first s": f"{e.ttft_s:.1f}",
        "all s": f"{e.latency_s:.1f}",
    }


def _part(candidate: Candidate, tiers: int, place: Mapping[str, int]) -> tuple[str, str]:
    """A candidate's part in the plan, and why it has no greater one."""
    if candidate.role == "excluded":
        return "excluded", candidate.why
    if candidate.role == "tier":
        return candidate.why, ""
    _, _, why = candidate.why.partition(": ")
    return f"behind {place[candidate.model] - tiers + 1}", why


def _predictors(router: str) -> str:
    words = {"rules": "rules and the catalogue's priors", "default": "the router that ships"}
    return words.get(router, router)
