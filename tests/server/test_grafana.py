"""The dashboard for Grafana that ships shows metrics and labels that there are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import yaml
from prometheus_client.parser import text_string_to_metric_families

from gateway import KEY, RunningGateway, call
from tierwise.server.families import ALL
from tierwise.state.status import Standing

FILE = Path(__file__).parents[2] / "deploy" / "grafana" / "tierwise.json"
ALERTS = FILE.parents[1] / "prometheus" / "alerts.yml"
_SELECTOR = re.compile(r"\b([a-z_]+)\{([^}]*)\}")
_NAME = re.compile(r"\b(?:tierwise|process)_\w+")
_MATCHER = re.compile(r"(\w+)\s*(?:=~|!=|=|!~)")
_GROUPED = re.compile(r"by \(([^)]*)\)")
_OF_THE_SCRAPE = {"instance", "job", "le"}


def dashboard() -> Any:
    return json.loads(FILE.read_text(encoding="utf-8"))


def queries() -> list[str]:
    shown = dashboard()
    found = [target["expr"] for panel in shown["panels"] for target in panel.get("targets", ())]
    variables = shown["templating"]["list"]
    return found + [one["definition"] for one in variables if one["type"] == "query"]


def sample_names() -> Iterator[tuple[str, set[str]]]:
    """What Prometheus has of each metric, and its labels."""
    endings = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
    for family in ALL:
        for ending in endings[family.kind]:
            yield family.name + ending, {*family.labels, *_OF_THE_SCRAPE}


def test_every_metric_of_the_dashboard_is_exposed(gateway: RunningGateway) -> None:
    text = call(gateway.url, "GET", "/metrics", key=KEY).body.decode()
    exposed = {family.name for family in text_string_to_metric_families(text)}
    assert exposed == {family.name for family in ALL}
    names = {name for query in queries() for name in _NAME.findall(query)}
    assert len(names) > 20
    assert names <= {name for name, _ in sample_names()}


def test_nothing_that_is_counted_is_left_out_without_a_reason() -> None:
    shown = " ".join(queries())
    left_out = {family.name for family in ALL if not re.search(rf"\b{family.name}", shown)}
    assert left_out == {
        "tierwise_saved_usd",  # the difference of two that are shown
        "tierwise_ledger_written",  # what is pending or dropped says more
        "tierwise_spans_waiting",
        "tierwise_spans_sent",
        "tierwise_replicas",  # as many as workers
        "tierwise_build_info",
        "process_open_fds",
        "process_start_time_seconds",
    }


def test_no_two_panels_lie_over_each_other() -> None:
    taken: dict[tuple[int, int], str] = {}
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        at = panel["gridPos"]
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert (x, y) not in taken, f"{panel['title']}, {taken.get((x, y))}"
                taken[x, y] = panel["title"]
        assert at["x"] + at["w"] <= 24


def test_every_label_of_the_dashboard_is_one_of_its_metric() -> None:
    labels = dict(sample_names())
    for query in queries():
        selectors = _SELECTOR.findall(query)
        for name, matchers in selectors:
            assert set(_MATCHER.findall(matchers)) <= labels[name], query
        allowed = set[str]().union(*(labels[name] for name, _ in selectors))
        for grouped in _GROUPED.findall(query):
            assert {one.strip() for one in grouped.split(",")} <= allowed, query


def test_every_alert_is_about_metrics_and_labels_that_there_are() -> None:
    read = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))
    rules = [rule for group in read["groups"] for rule in group["rules"]]
    labels = dict(sample_names())
    labels["up"] = _OF_THE_SCRAPE
    for rule in rules:
        query, said = rule["expr"], rule["annotations"]["summary"]
        names = set(_NAME.findall(query)) or {"up"}
        assert names <= set(labels), query
        for name, matchers in _SELECTOR.findall(query):
            assert set(_MATCHER.findall(matchers)) <= labels[name], query
        grouped = {one for found in _GROUPED.findall(query) for one in found.split(", ")}
        assert grouped <= set[str]().union(*(labels[name] for name in names)), query
        assert set(re.findall(r"\$labels\.(\w+)", said)) <= grouped, said
        states = re.findall(r'state!~"([^"]*)"', query)
        assert set("|".join(states).split("|") if states else ()) <= set(get_args(Standing))
    assert len({rule["alert"] for rule in rules}) == len(rules) > 8


def test_a_share_is_shown_where_there_is_none_of_it_and_where_there_is_nothing_else() -> None:
    """A gateway that began in an outage has no series of calls that went well."""
    shares = [query for query in queries() if re.search(r"\) / sum by", query)]
    assert len(shares) == 2
    for query in shares:
        part, _, whole = query.partition(") / ")
        assert part.endswith(f" or 0 * {whole}"), query
        assert not query.startswith("1 - "), query


def test_no_panel_lies_on_another_or_is_named_twice() -> None:
    panels = dashboard()["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({panel["title"] for panel in panels}) == len(panels)
