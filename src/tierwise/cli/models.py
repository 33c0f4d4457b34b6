"""`tierwise models`: what is configured, or what the catalogue knows."""

from __future__ import annotations

from typing import Annotated

import typer

from tierwise.cli.configuration import ConfigOption, JsonOption, find_or_simulate


def command(
    config: ConfigOption = None,
    everything: Annotated[bool, typer.Option("--all", help="The whole catalogue.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List models with prices, capabilities and where they are served."""
    import msgspec
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
        typer.echo(msgspec.json.encode(rows).decode())
        return
    table = Table(
        "model", "in $/M", "out $/M", "window", "prior", "specialises", "can", "served at"
    )
    for model in models:
        table.add_row(
            model.id,
            f"{model.prices.input:g}",
            f"{model.prices.output:g}",
            f"{model.context_window:,}",
            f"{model.quality:.2f}",
            ", ".join(sorted(model.specialises)),
            ", ".join(sorted(model.capabilities)),
            ", ".join(d.provider for d in served.get(model.id, ())),
        )
    Console().print(table)
