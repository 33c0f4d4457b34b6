"""How a report looks on a terminal: plain words first, then who did the work."""

from __future__ import annotations

import time
from collections.abc import Mapping

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tierwise.ledger import (
    EMBEDDINGS,
    DeploymentGroup,
    GateFigures,
    Group,
    PassedGroup,
    Report,
    TierFigures,
)
from tierwise.ledger.report import NONE

_ROWS = 12
"""Rows of one table; the rest is in `--json`."""


def show(report: Report) -> None:
    """Prints a report; reads well from 80 columns on."""
    console = Console(highlight=False)
    console.print(f"[bold]{_period(report)}[/]")
    if not (report.requests or report.passed or report.cache_hits):
        console.print(
            "No requests. Send one to the gateway (`tierwise serve`); it appears here within a "
            "second."
        )
        return
    facts = Table.grid(padding=(0, 2))
    for name, value in _facts(report):
        facts.add_row(f"[dim]{name}[/]", escape(value))
    console.print(facts)
    for title, groups in (
        ("tier", report.by_tier),
        ("model", report.by_model),
        ("domain", report.by_domain),
        ("policy", report.by_policy),
    ):
        console.print(_shares(title, groups))
    console.print(_deployments(report.by_deployment))
    if report.by_gate:
        console.print(_gates(report.by_gate))
    if report.judged_by_tier:
        console.print(_judged(report.judged_by_tier))
    if report.passed:
        console.print(_passed(report.passed))


def _period(report: Report) -> str:
    until = _moment(report.period.until)
    if report.period.since is None:
        return f"All requests until {until}"
    return f"Requests from {_moment(report.period.since)} until {until}"


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def _facts(report: Report) -> list[tuple[str, str]]:
    """The figures that matter, each with the words that make it understood."""
    facts = [
        ("requests", _endings(report)),
        ("spent", _usd(report.cost_usd) + _wasted(report)),
        ("always the reference", _usd(report.reference_cost_usd)),
        ("saved", _saved(report)),
    ]
    if report.small_share is not None:
        facts.append(("cheaper models", f"gave {_percent(report.small_share)} of the answers"))
    embeddings = report.by_kind.get(EMBEDDINGS)
    if embeddings is not None:
        facts.append((EMBEDDINGS, _embeddings(embeddings)))
    if report.cache_hits:
        facts.append(("cache", _cache(report)))
    facts.append(("escalations", _times(report.escalations, "request went to a higher tier")))
    if report.probes:
        calls = "call" if report.probes == 1 else "calls"
        facts.append(("probes", f"{report.probes:,} {calls} for {_usd(report.probe_usd)}"))
    if report.gates_that_do_not_pay:
        facts.append(("gates that do not pay", _not_paying(report)))
    if report.mean_label is not None:
        answers = "answer was" if report.labelled == 1 else "answers were"
        facts.append(
            ("feedback", f"{report.labelled:,} {answers} rated, {report.mean_label:.2f} on average")
        )
    facts.append(("failovers", _failovers(report)))
    if report.latency_p50_s is not None:
        times = (report.latency_p50_s, report.latency_p90_s, report.latency_p99_s)
        facts.append(("latency", f"p50 {_s(times[0])}, p90 {_s(times[1])}, p99 {_s(times[2])}"))
    if report.ttft_p50_s is not None:
        facts.append(
            ("to the first token", f"p50 {_s(report.ttft_p50_s)}, p99 {_s(report.ttft_p99_s)}")
        )
    facts.append(("tokens", f"{report.input_tokens:,} in, {report.output_tokens:,} out"))
    if report.errors_by_kind:
        facts.append(("errors", _listed(report.errors_by_kind)))
    if report.upstream_errors:
        facts.append(("upstream errors", _listed(report.upstream_errors)))
    return facts


def _endings(report: Report) -> str:
    parts = [f"{report.ok:,} ok", f"{report.errors:,} failed", f"{report.cancelled:,} cancelled"]
    return f"{report.requests:,} ({', '.join(parts)})"


def _embeddings(group: Group) -> str:
    requests = "request" if group.requests == 1 else "requests"
    return f"{group.requests:,} {requests} among them, {_usd(group.cost_usd)}, no saving claimed"


def _cache(report: Report) -> str:
    given = "answer was" if report.cache_hits == 1 else "answers were"
    saved = _usd(report.cache_saved_usd)
    return f"{report.cache_hits:,} {given} given again, apart from all others; {saved} not spent"


def _wasted(report: Report) -> str:
    if not report.wasted_usd:
        return ""
    return f", of which {_usd(report.wasted_usd)} for answers not used"


def _saved(report: Report) -> str:
    if report.saving is None:
        return "unknown: the reference would have cost nothing"
    if report.saving < 0:
        return f"nothing: {_usd(-report.saving_usd)} more than the reference would have cost"
    return f"{_usd(report.saving_usd)} ({_percent(report.saving)})"


def _failovers(report: Report) -> str:
    if not report.failovers:
        return "none"
    calls = "call" if report.failovers == 1 else "calls"
    requests = "request" if report.requests_with_failover == 1 else "requests"
    return f"{report.failovers:,} failed {calls} in {report.requests_with_failover:,} {requests}"


def _not_paying(report: Report) -> str:
    return ", ".join(
        f"{name} (cost {_usd(-report.by_gate[name].earned_usd)} more than it earned)"
        for name in report.gates_that_do_not_pay
    )


def _times(count: int, what: str) -> str:
    if not count:
        return "none"
    return f"{count:,} {what if count == 1 else what.replace('request', 'requests', 1)}"


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _shares(title: str, groups: Mapping[str, Group]) -> Table:
    table = _table(title, "requests", "share", "spent", "reference", "saved")
    for name, group in list(groups.items())[:_ROWS]:
        table.add_row(
            _name(title, name),
            f"{group.requests:,}",
            _percent(group.share),
            _usd(group.cost_usd),
            _usd(group.reference_cost_usd),
            _percent(group.saving) if group.saving is not None else "",
        )
    _note_rest(table, len(groups))
    return table


def _deployments(groups: Mapping[str, DeploymentGroup]) -> Table:
    table = _table("deployment", "answered", "calls", "failed", "billed")
    for name, group in list(groups.items())[:_ROWS]:
        table.add_row(
            _name("deployment", name),
            f"{group.requests:,}",
            f"{group.attempts:,}",
            f"{group.failures:,}",
            _usd(group.billed_usd),
        )
    _note_rest(table, len(groups))
    return table


def _gates(gates: Mapping[str, GateFigures]) -> Table:
    """How often each gate passed an answer, how good those were, what that cost and brought in.

    It costs the probes that it had bought and the drafts that it rejected.
    """
    table = _table("gate", "verdicts", "passed", "good", "cost", "earned", narrow=True)
    for name, gate in list(gates.items())[:_ROWS]:
        table.add_row(
            _name("gate", name),
            f"{gate.verdicts:,}",
            _percent_or_blank(gate.pass_rate),
            _good(gate.precision, gate.labelled_passed),
            _usd(gate.cost_usd + gate.rejected_usd) if gate.probes or gate.rejected else "",
            _usd(gate.earned_usd),
        )
    _note_rest(table, len(gates))
    return table


def _judged(tiers: Mapping[str, TierFigures]) -> Table:
    table = _table("judged", "answers", "accepted", "good if accepted", "if rejected", narrow=True)
    for name, tier in list(tiers.items())[:_ROWS]:
        table.add_row(
            f"tier {name}",
            f"{tier.judged:,}" if tier.judged else "",
            _percent_or_blank(tier.accept_rate),
            _good(tier.precision, tier.labelled_accepted),
            _good(tier.label_rejected, tier.labelled_rejected),
        )
    _note_rest(table, len(tiers))
    return table


def _passed(groups: Mapping[str, PassedGroup]) -> Table:
    """What was passed through, which is in no other figure."""
    table = _table("passed through", "calls", "failed", "tokens in", "out", "spent")
    for name, group in list(groups.items())[:_ROWS]:
        table.add_row(
            escape(name),
            f"{group.requests:,}",
            f"{group.errors:,}",
            f"{group.input_tokens:,}",
            f"{group.output_tokens:,}",
            _known(group),
        )
    _note_rest(table, len(groups))
    return table


def _known(group: PassedGroup) -> str:
    """What calls cost, as far as anybody knows."""
    if group.unknown_cost == group.requests:
        return "unknown"
    return _usd(group.cost_usd) + (" and more" if group.unknown_cost else "")


def _good(label: float | None, answers: int) -> str:
    """The mean label and of how many; a mean of three is not one of three thousand."""
    return "" if label is None else f"{_percent(label)} of {answers:,}"


def _table(title: str, *figures: str, narrow: bool = False) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(title, overflow="fold", min_width=12 if narrow else 24)
    for figure in figures:
        table.add_column(figure, justify="right", no_wrap=True)
    return table


def _name(title: str, name: str) -> str:
    if name == NONE:
        return "(model named by caller)" if title == "policy" else "(no answer)"
    return escape(name)


def _note_rest(table: Table, total: int) -> None:
    if total > _ROWS:
        table.add_row(f"[dim]and {total - _ROWS} more: see --json[/]")


def _usd(amount: float) -> str:
    """Enough digits to tell small sums apart, and no more."""
    if amount == 0:
        return "$0"
    digits = 2 if abs(amount) >= 100 else 4 if abs(amount) >= 0.01 else 6
    return f"{'-' if amount < 0 else ''}${abs(amount):,.{digits}f}"


def _percent(fraction: float) -> str:
    return f"{fraction:.1%}"


def _percent_or_blank(fraction: float | None) -> str:
    return "" if fraction is None else _percent(fraction)


def _s(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
