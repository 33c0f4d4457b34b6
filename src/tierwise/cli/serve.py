"""`tierwise serve`: starts the gateway."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from tierwise.cli.configuration import ConfigOption, find_or_start

if TYPE_CHECKING:
    from tierwise.config import Config


def command(
    config: ConfigOption = None,
    host: Annotated[str | None, typer.Option(help="Default: 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Default: 4100.", min=0, max=65535)] = None,
    workers: Annotated[int, typer.Option(help="Processes.", min=1, max=256)] = 1,
) -> None:
    """Start the gateway. Without a config it uses the API keys and local servers it finds."""
    from tierwise.server.run import serve
    from tierwise.server.source import Source

    with find_or_start(config) as found:
        source = Source(str(found.file) if found.file is not None else None, host, port)
        settled = source.over(found.config)
        announce = _announcer(settled, found.origin)
        # Where this goes to a file or a collector of logs, a secret must not.
        reveal = _reveal if sys.stderr.isatty() else None
        serve(settled, workers=workers, source=source, announce=announce, reveal=reveal)


def _reveal(secret: str) -> None:
    lines = [
        "tierwise: no key could operate this gateway, so here is one. It is shown only now:",
        f"tierwise:     {secret}",
    ]
    print("\n".join(lines), file=sys.stderr, flush=True)  # noqa: T201


def _announcer(config: Config, origin: str) -> Callable[[str], None]:
    """Says what is served and where; on stderr, so that stdout stays clean for programs."""
    from tierwise.config.build import DEFAULT_POLICIES
    from tierwise.telemetry.logs import log_format

    models = sum(len(provider.models) for provider in config.providers.values())
    policies = dict.fromkeys([*DEFAULT_POLICIES, *config.policies])
    guarded = config.server.api_keys or config.accounts.enabled

    def announce(url: str) -> None:
        lines = [
            f"tierwise: {origin}",
            f"tierwise: {models} {'deployment' if models == 1 else 'deployments'} at "
            f"{', '.join(config.providers)}; policies {', '.join(policies)}",
            f"tierwise: {url}" + ("" if guarded else "  (no key configured: loopback only)"),
        ]
        if config.dashboard.enabled:
            lines.append(f"tierwise: dashboard at {url.removesuffix('v1')}")
        if log_format(config) == "json":
            log = logging.getLogger("tierwise.serve")
            log.setLevel(logging.INFO)
            for line in lines:
                log.info(line.removeprefix("tierwise: "))
            return
        print("\n".join(lines), file=sys.stderr, flush=True)  # noqa: T201

    return announce
