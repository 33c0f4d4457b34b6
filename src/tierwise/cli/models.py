"""`tierwise models`: what is configured, or what the catalogue knows."""

from __future__ import annotations

from typing import Annotated

import typer

from tierwise.cli.configuration import ConfigOption, JsonOption, find_or_simulate
from tierwise.cli.printing import print_json


def command(
    config: ConfigOption = None,
    everything: Annotated[bool, typer.Option("--all", help="The whole catalogue.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List models with prices, capabilities and where they are served."""
    import msgspec
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from tierwise.catalog import Catalog
    from tierwise.config import build
    from tierwise.types import Deployment, Model

    served: dict[str, tuple[Deployment, ...]] = {}
    models: list[Model]
    if everything:
        models = list(Catalog.builtin())
    else:
        setup = build(find_or_simulate(config).config)
        models = list(setup.models.values())
        served = dict(setup.deployments)
    if as_json:
        rows = [
            {
                **msgspec.to_builtins(model),
                "deployments": [d.id for d in served.get(model.id, ())],
            }
            for model in models
        ]
        print_json(rows)
        return
    table = Table("model", "$/M in", "out", "window", "prior", box=box.SIMPLE_HEAD, pad_edge=False)
    for fold in ("can (specialises in)",) if everything else ("can (specialises in)", "at"):
        table.add_column(fold, overflow="fold")
    for model in models:
        can = " ".join(sorted(model.capabilities))
        if model.specialises:
            can += f" ({' '.join(sorted(model.specialises))})"
        table.add_row(
            model.id,
            f"{model.prices.input:g}",
            f"{model.prices.output:g}",
            f"{model.context_window:,}",
            f"{model.quality:.2f}",
            can.strip(),
            *([] if everything else [" ".join(d.provider for d in served.get(model.id, ()))]),
        )
    Console().print(table)
