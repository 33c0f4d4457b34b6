"""`tierwise calibrate`: what gates' verdicts are worth, where to accept, and what that promises."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tierwise.cli.configuration import ConfigOption, JsonOption
from tierwise.cli.progress import progress

if TYPE_CHECKING:
    from tierwise.certificate import Certificate
    from tierwise.learning.certify import Name
    from tierwise.learning.validate import Validation
    from tierwise.types import Policy


def command(
    outcomes: Annotated[
        list[Path],
        typer.Option(help="Folders with prompts.parquet and outcomes.parquet.", metavar="DIR..."),
    ],
    out: Annotated[Path | None, typer.Option(help="The certificate to write.")] = None,
    policy: Annotated[str, typer.Option("--policy", "-p", help="Whose certificate.")] = "auto",
    reference: Annotated[str, typer.Option(help="Default: the policy's reference.")] = "",
    tiers: Annotated[
        str, typer.Option(help="Models before the reference, by commas; default: the policy's.")
    ] = "",
    gates: Annotated[
        str, typer.Option(help="Gates to judge recorded answers, by commas; default: the policy's.")
    ] = "",
    datasets: Annotated[str, typer.Option(help="Only these, separated by commas.")] = "",
    alpha: Annotated[
        float, typer.Option(help="Largest share of answers worse than before.")
    ] = 0.05,
    delta: Annotated[float, typer.Option(help="1 less the confidence.")] = 0.1,
    horizon: Annotated[int, typer.Option(help="Requests that the promise is for.", min=1)] = 1000,
    by: Annotated[str, typer.Option(help="`kind` or `dataset`: a threshold for each.")] = "",
    days: Annotated[int, typer.Option(help="How long it is valid.", min=1)] = 90,
    check: Annotated[
        int, typer.Option("--validate", help="Also try so many random splits.", min=0)
    ] = 0,
    router: Annotated[
        Path | None, typer.Option(help="A file of `tierwise train`; default: the configured one.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all that is drawn.")] = 0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pick thresholds that keep a promise, and write it down. Needs the `train` extra."""
    from tierwise.cli.arguments import listed
    from tierwise.errors import ConfigError
    from tierwise.learning.certify import Terms, certify
    from tierwise.learning.fit import require
    from tierwise.learning.trials import read_trials
    from tierwise.learning.validate import validate

    require()
    if out is None and not check:
        raise ConfigError("nothing to do", field="--out", remedy="Name a file, or --validate N.")
    found, router = _policy(policy, reference, listed(tiers), listed(gates), config, router)
    models = [tier.model for tier in found.tiers if tier.model != found.reference]
    terms = Terms(alpha=alpha, delta=delta, horizon=horizon, by=by, days=days, seed=seed)
    with progress() as say:
        say("reading", 0.0)
        trials = read_trials(
            outcomes, found.reference or "", models, found.gates, listed(datasets),
            by=by, artifact=router,
        )  # fmt: skip
        certificate = certify(trials, terms, _today(), _named(found, router))
        validation = validate(trials, terms, check, say) if check else None
    _give(certificate, validation, out, as_json)


def _named(policy: Policy, router: Path | None) -> Name:
    from tierwise.certificate import digest, file_digest
    from tierwise.learning.certify import Name

    return Name(
        policy=policy.name,
        policy_hash=digest(policy),
        artifact_hash="" if router is None else file_digest(router),
        gates=policy.gates,
    )


def _give(
    certificate: Certificate, validation: Validation | None, out: Path | None, as_json: bool
) -> None:
    """Writes it if wanted, and prints it for programs or for people."""
    import msgspec

    if out is not None:
        certificate.save(out)
    if as_json:
        said = {"certificate": certificate, "validation": validation}
        typer.echo(msgspec.json.encode(said).decode())
    else:
        _show(certificate, validation, out)


def _policy(
    name: str,
    reference: str,
    tiers: list[str],
    gates: list[str],
    config: Path | None,
    router: Path | None,
) -> tuple[Policy, Path | None]:
    """The policy as configured, with what the command line says otherwise, and its router.

    Raises:
        ConfigError: there is no such policy, or it leaves open what is to be certified.
    """
    from msgspec.structs import replace

    from tierwise.cli.configuration import find
    from tierwise.config import build
    from tierwise.errors import ConfigError
    from tierwise.types import Policy, Tier

    found = Policy(name=name, gates=("complete",))
    if not (reference and tiers):
        configured = find(config, needs_keys=False)
        policies = build(configured.config).policies if configured is not None else {}
        if configured is None or name not in policies:
            raise ConfigError(
                f"there is no policy {name!r}",
                field="--policy",
                remedy=f"There are: {', '.join(policies)}." if policies else
                "Name a configuration with --config, or give --reference and --tiers.",
            )  # fmt: skip
        found = policies[name]
        from tierwise.config.schema import NONE, SHIPPED
        from tierwise.routing.artifact import DEFAULT_FILE

        artifact = configured.config.router.artifact
        if artifact == SHIPPED:
            router = router or DEFAULT_FILE
        elif artifact != NONE:
            router = router or Path(artifact)
    changed = replace(
        found,
        reference=reference or found.reference,
        tiers=tuple(Tier(model=model) for model in tiers) or found.tiers,
        gates=tuple(gates) or found.gates,
    )
    if changed.reference is None or not changed.tiers:
        raise ConfigError(
            f"policy {name!r} does not say which models are asked before which reference",
            field="--tiers",
            remedy="Give --reference MODEL and --tiers MODEL,MODEL.",
        )
    return changed, router


def _today() -> date:
    """The day by the machine's own calendar, as a certificate's last day is read."""
    return datetime.now().astimezone().date()


def _show(certificate: Certificate, validation: Validation | None, out: Path | None) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    sure = 1 - certificate.delta
    console.print(
        f"With {sure:.0%} confidence at most {certificate.alpha:.1%} of the next "
        f"{certificate.horizon:,} requests are answered wrongly where {certificate.reference} "
        f"would have been right, if they are drawn like these {certificate.calibrated:,}.",
        style="bold",
        highlight=False,
    )
    table = Table("traffic", "accept from", "requests", "lost", "bound", "accepted", "saving")
    for one in certificate.thresholds:
        table.add_row(
            one.traffic or "all other" if certificate.by else "all",
            "nothing" if one.accept > 1 else f"{one.accept:.3f}",
            f"{one.rows:,}",
            f"{one.wrong:,}",
            f"{one.bound:.2%}",
            f"{one.accepted:.1%}",
            f"{one.saving:.1%}",
        )
    console.print(table)
    if validation is not None:
        console.print(
            f"In {validation.splits} random splits the bound was broken in {validation.broken:.1%} "
            f"(allowed: {validation.delta:.0%}); on {validation.held_out:,} requests held out "
            f"{validation.lost:.2%} were lost, {validation.saving:.1%} saved (5% of splits below "
            f"{validation.saving_low:.1%}) at {validation.quality:.1%} of the reference's quality, "
            f"{validation.small_share:.1%} finished by smaller models.",
            highlight=False,
        )
    for note in certificate.notes:
        console.print(f"Note: {note}.", style="yellow", highlight=False)
    if out is not None:
        console.print(f"Written to {out}; valid until {certificate.expires}.", highlight=False)
