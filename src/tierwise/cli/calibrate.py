"""`tierwise calibrate`: what gates' verdicts are worth, where to accept, and what that promises."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from tierwise.cli.configuration import ConfigOption, JsonOption, find_ledger
from tierwise.cli.printing import print_json
from tierwise.cli.progress import progress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tierwise.certificate import Certificate
    from tierwise.learning.certify import Name
    from tierwise.learning.rated import Question
    from tierwise.learning.trials import Trials
    from tierwise.learning.validate import Validation
    from tierwise.types import Model, Policy


def command(
    outcomes: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folders with prompts.parquet and outcomes.parquet; without, the ledger's "
            "feedback is used.",
            metavar="DIR...",
        ),
    ] = None,
    ledger: Annotated[
        str | None, typer.Option(help="A ledger with feedback; default: the configured one.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Only the ledger's answers since then, as 24h or 30d.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The certificate to write.")] = None,
    policy: Annotated[str, typer.Option("--policy", "-p", help="Whose certificate.")] = "auto",
    reference: Annotated[str, typer.Option(help="Default: the policy's reference.")] = "",
    tiers: Annotated[
        str, typer.Option(help="Models before the reference, by commas; default: the policy's.")
    ] = "",
    gates: Annotated[
        str, typer.Option(help="Gates to judge the answers, by commas; default: the policy's.")
    ] = "",
    datasets: Annotated[str, typer.Option(help="Only these, separated by commas.")] = "",
    alpha: Annotated[
        float, typer.Option(help="Largest share of answers worse than before.")
    ] = 0.05,
    delta: Annotated[float, typer.Option(help="1 less the confidence.")] = 0.1,
    horizon: Annotated[int, typer.Option(help="Requests that the promise is for.", min=1)] = 1000,
    by: Annotated[
        str,
        typer.Option(
            help="A threshold for each `kind`, `caller` (ledger) or `dataset` (outcomes)."
        ),
    ] = "",
    days: Annotated[int, typer.Option(help="How long it is valid.", min=1)] = 90,
    check: Annotated[
        int, typer.Option("--validate", help="Also try so many random splits.", min=0)
    ] = 0,
    router: Annotated[
        Path | None, typer.Option(help="A file of `tierwise train`; default: the configured one.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all that is drawn.")] = 0,
    restored: Annotated[
        bool,
        typer.Option(
            "--restore", help="Make nothing: let the certificate hold again that drift voided."
        ),
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pick thresholds that keep a promise, and write it down. Needs the `train` extra."""
    if restored:
        from tierwise.cli.restore import restore

        restore(policy, config, makes=bool(outcomes or out or check), as_json=as_json)
        return
    from tierwise.cli.arguments import listed
    from tierwise.errors import ConfigError
    from tierwise.learning.certify import Terms, certify
    from tierwise.learning.fit import require
    from tierwise.learning.validate import validate

    require()
    if out is None and not check:
        raise ConfigError("nothing to do", field="--out", remedy="Name a file, or --validate N.")
    _fit_together(outcomes, ledger, by, router)
    subject = _subject(policy, reference, listed(tiers), listed(gates), config)
    terms = Terms(alpha=alpha, delta=delta, horizon=horizon, by=by, days=days, seed=seed)
    with progress() as say:
        say("reading", 0.0)
        if outcomes:
            router = router or subject.router
            trials = _recorded(outcomes, subject, listed(datasets), by, router)
            certificate = certify(trials, terms, _today(), _named(subject.policy, router, router))
        else:
            from tierwise.learning.rated import rated_trials, with_all_traffic

            question = _question(subject, ledger, since)
            trials = rated_trials(question, terms)
            certificate = certify(
                trials, terms, _today(), _named(subject.policy, None, subject.router)
            )
            certificate = with_all_traffic(certificate, question)
        validation = validate(trials, terms, check, say) if check else None
    _give(certificate, validation, out, as_json)


class _Subject(NamedTuple):
    """What is to be certified: the policy, and what is configured around it."""

    policy: Policy
    models: Mapping[str, Model]
    router: Path | None
    ledger: str


def _fit_together(
    outcomes: list[Path] | None, ledger: str | None, by: str, router: Path | None
) -> None:
    """Refuses options that say nothing about what is read.

    Raises:
        ConfigError: there are some.
    """
    from tierwise.errors import ConfigError

    if outcomes and ledger is not None:
        raise ConfigError(
            "recordings and a ledger cannot be mixed",
            field="--ledger",
            remedy="Give --outcomes or --ledger.",
        )
    wrong = "caller" if outcomes else "dataset"
    if by == wrong:
        read = "recordings do not say who asked" if outcomes else "a ledger knows no data sets"
        raise ConfigError(
            read, field="--by", remedy=f"Write `kind` or `{'dataset' if outcomes else 'caller'}`."
        )
    if not outcomes and router is not None:
        raise ConfigError(
            "the ledger does not say what this router expected of its answers",
            field="--router",
            remedy="Leave it out, or give --outcomes.",
        )


def _recorded(
    outcomes: list[Path], subject: _Subject, datasets: list[str], by: str, router: Path | None
) -> Trials:
    from tierwise.config.certified import before_reference, gates_of
    from tierwise.learning.trials import read_trials

    policy = subject.policy
    asked = before_reference(policy)
    return read_trials(
        outcomes, policy.reference or "", [tier.model for tier in asked], gates_of(policy, asked),
        datasets, by=by, artifact=router, models=subject.models,
    )  # fmt: skip


def _question(subject: _Subject, ledger: str | None, since: str | None) -> Question:
    """Which of the ledger's answers are wanted.

    Raises:
        ConfigError: several tiers come before the reference: a request is rated once.
    """
    import time

    from tierwise.config.certified import before_reference
    from tierwise.errors import ConfigError
    from tierwise.learning.rated import Question
    from tierwise.ledger import parse_since

    policy = subject.policy
    asked = before_reference(policy)
    if len(asked) != 1:
        raise ConfigError(
            f"feedback rates one answer of a request, and policy {policy.name!r} asks "
            f"{len(asked)} models before the reference",
            field="--tiers",
            remedy="Calibrate with --outcomes, or pin one tier before the reference.",
        )
    return Question(
        ledger=ledger or subject.ledger,
        policy=policy.name,
        tier=asked[0],
        reference=policy.reference or "",
        since=time.time() - parse_since(since) if since is not None else 0.0,
    )


def _named(policy: Policy, router: Path | None, tells_kinds: Path | None) -> Name:
    from tierwise.certificate import file_digest
    from tierwise.config.certified import before_reference, gates_of, policy_hash
    from tierwise.learning.certify import Name

    return Name(
        policy=policy.name,
        policy_hash=policy_hash(policy),
        artifact_hash="" if router is None else file_digest(router),
        gates=gates_of(policy, before_reference(policy)),
        learned_kinds=tells_kinds is not None,
    )


def _give(
    certificate: Certificate, validation: Validation | None, out: Path | None, as_json: bool
) -> None:
    """Writes it if wanted, and prints it for programs or for people."""

    if out is not None:
        certificate.save(out)
    if as_json:
        said = {"certificate": certificate, "validation": validation}
        print_json(said)
    else:
        _show(certificate, validation, out)


def _subject(
    name: str, reference: str, tiers: list[str], gates: list[str], config: Path | None
) -> _Subject:
    """The policy as configured, with what the command line says otherwise.

    Raises:
        ConfigError: there is no such policy, or it leaves open what is to be certified.
    """
    from msgspec.structs import replace

    from tierwise.errors import ConfigError
    from tierwise.types import Policy, Tier

    found = _configured(name, config, needed=not (reference and tiers))
    if found is None:
        bare = Policy(name=name, gates=("complete", "token_confidence"))
        found = _Subject(bare, {}, None, find_ledger(config).place)
    policy = found.policy
    asked = tuple(gates) or policy.gates
    pinned = policy.tiers
    if tiers or gates:
        names = tiers or [tier.model for tier in pinned]
        pinned = tuple(Tier(model=model, gates=asked) for model in names)
    policy = replace(policy, reference=reference or policy.reference, tiers=pinned, gates=asked)
    if policy.reference is None or not policy.tiers:
        raise ConfigError(
            f"policy {name!r} does not say which models are asked before which reference",
            field="--tiers",
            remedy="Give --reference MODEL and --tiers MODEL,MODEL.",
        )
    return found._replace(policy=policy)


def _configured(name: str, config: Path | None, *, needed: bool) -> _Subject | None:
    """What is configured; None if nothing is and nothing need be.

    Raises:
        ConfigError: the policy is needed, and there is none of that name.
    """
    from tierwise.cli.configuration import find, find_file
    from tierwise.config import build
    from tierwise.errors import ConfigError

    if not needed and find_file(config) is None:
        return None
    configured = find(config, needs_keys=False)
    # The certificate that is to be made may be named in it already.
    setup = build(configured.config, certificates=False) if configured is not None else None
    policies = setup.policies if setup is not None else {}
    if configured is None or setup is None or name not in policies:
        if not needed:
            return None
        raise ConfigError(
            f"there is no policy {name!r}",
            field="--policy",
            remedy=f"There are: {', '.join(policies)}." if policies else
            "Name a configuration with --config, or give --reference and --tiers.",
        )  # fmt: skip
    return _Subject(
        policies[name],
        setup.models,
        configured.config.router.file,
        configured.config.ledger.place,
    )


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
