"""The live view of the demo, and its last page."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from threading import Event

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tierwise.demo.drive import Outcome
from tierwise.demo.result import Result
from tierwise.demo.run import Options
from tierwise.fleet import Fleet

_REFRESH_PER_S = 8


class LiveView:
    """Shows a run while it goes on. Use it in a `with` block."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=_REFRESH_PER_S, transient=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
        )
        self._bar = self._progress.add_task("starting fleet and gateway", total=None)
        self._answers: Counter[str] = Counter()
        self._failed = 0
        self._cost = 0.0
        self._reference_cost = 0.0
        self._fleet: Fleet | None = None
        self._policy = ""
        self._requests = 0

    def __enter__(self) -> LiveView:
        self._live.__enter__()
        self._live.update(self._progress)
        return self

    def __exit__(self, *_: object) -> None:
        self._live.__exit__(None, None, None)

    def begin(self, fleet: Fleet, options: Options) -> None:
        """See `View`."""
        self._fleet = fleet
        self._progress.update(self._bar, description="measuring the added latency")
        self._policy, self._requests = options.policy, options.requests
        what = (
            "SIMULATED models and tasks"
            if fleet.simulated_answers
            else f"recorded answers of real models ({options.outcomes})"
        )
        self._console.print(
            f"Fleet: {what}; {len(fleet.providers)} providers over HTTP. "
            f"Reference: [bold]{fleet.reference}[/]."
        )

    def drives(self) -> None:
        """See `View`."""
        self._progress.update(
            self._bar, description=f'asking "{self._policy}"', total=self._requests
        )

    def stays(self, url: str) -> None:
        """See `View`: until Ctrl-C."""
        self._live.stop()
        self._console.print(
            f"All asked. The dashboard is at [bold]{url}/[/] until you press Ctrl-C; then comes "
            "the summary."
        )
        with suppress(KeyboardInterrupt):
            Event().wait()

    def saw(self, outcome: Outcome) -> None:
        """See `View`."""
        self._progress.advance(self._bar)
        if outcome.deployment is not None:
            self._answers[outcome.deployment] += 1
        self._failed += outcome.status != 200
        self._cost += outcome.cost_usd
        if self._fleet is not None:
            self._reference_cost += self._fleet.reference_cost(outcome.item)
        self._live.update(Group(self._progress, self._figures()))

    def killed(self, provider: str) -> None:
        """See `View`."""
        self._console.print(f"[bold red]Killed provider {provider}[/]; the requests go on.")

    def _figures(self) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_row("failed", str(self._failed))
        table.add_row("spent", f"${self._cost:.4f}")
        table.add_row("reference", f"${self._reference_cost:.4f}")
        for deployment, count in self._answers.most_common(6):
            table.add_row(deployment, str(count))
        return table


def show(result: Result, console: Console) -> None:
    """The figures of a run, as a page."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column()
    failed = "[green]0[/]" if result.failed == 0 else f"[bold red]{result.failed}[/]"
    rows = [
        ("requests", f"{result.requests} in {result.seconds:.1f} s, policy {result.policy}"),
        (
            "router",
            f"learned from {result.learned_from} other prompts"
            if result.learned_from
            else "rules and the catalogue's priors",
        ),
        ("failed", f"{failed}, with provider {result.killed} killed half-way"),
        ("answers altered", str(result.wrong)),
        ("failovers", str(result.failovers)),
        ("escalations", str(result.escalations)),
        ("cost", f"${result.cost_usd:.4f}, every attempt billed"),
        (f"always {result.reference}", f"${result.reference_cost_usd:.4f}"),
        ("saving", f"{result.saving:.1%}"),
        (
            "quality",
            f"{result.quality:.3f}, {result.quality_rel:.1%} of the reference's "
            f"{result.quality_reference:.3f}",
        ),
        ("answered by smaller models", f"{result.small_share:.1%}"),
        (
            "added latency",
            f"{result.added_latency_ms.p50:.1f} ms p50, {result.added_latency_ms.p99:.1f} ms p99",
        ),
    ]
    if result.offline is not None:
        told = f"{result.offline.saving:.1%} saved at {result.offline.quality_rel:.1%}"
        rows.append(("offline, same requests", told))
    for label, value in rows:
        table.add_row(label, value)
    console.print(table)
    answered = Table("model", "answers")
    for model, count in result.by_model.items():
        answered.add_row(model, str(count))
    console.print(answered)
    if result.simulated:
        console.print("These models, tasks and scores are simulated; use --outcomes for real ones.")
    for error in result.errors:
        console.print(f"[red]{error}[/]", markup=True)
