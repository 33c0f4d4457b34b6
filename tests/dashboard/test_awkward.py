"""Pages of what is awkward: savings below nothing, old filters, long names, other years."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from from_file import FromFile
from gateway import Provider, config_for
from pages import Client, ask, token_of
from tenants import OPERATOR_KEY, Tenants
from tierwise.dashboard.login import ANYBODY
from tierwise.dashboard.overview import overview
from tierwise.dashboard.periods import PERIODS
from tierwise.dashboard.rendering import Rendering
from tierwise.ledger import Ledger
from tierwise.ledger.reading import reading
from tierwise.types import Record

MakeRecord = Callable[..., Record]
NOW = 20_000 * 86_400 + 50_000.0


def figures(place: str, *some: Record) -> str:
    """What the overview says of them."""
    with Ledger(place) as ledger:
        for one in some:
            ledger.record(lambda one=one: one)  # type: ignore[misc]
        assert ledger.flush(30.0)
    with reading(place) as connection:
        found = overview(connection, ANYBODY, PERIODS["24h"], NOW)
    values = {"found": found, "visitor": ANYBODY, "address": "", "guarded": False}
    page = Rendering().page("_figures.html", values)
    return bytes(page.body).decode()


def test_what_routing_cost_more_than_the_reference_is_not_called_less(
    tmp_path: Path, make_record: MakeRecord
) -> None:
    dear = make_record(at=NOW - 100, cost_usd=3.0, reference_cost_usd=2.0)
    said = figures(str(tmp_path / "dear.db"), dear)
    assert "−50 %" in said
    assert "$1.00 more than the reference" in said
    cheap = make_record(at=NOW - 100, cost_usd=1.0, reference_cost_usd=2.0)
    said = figures(str(tmp_path / "cheap.db"), cheap)
    assert "$1.00 less than the reference" in said


def test_a_policy_that_saved_nothing_cost_as_much(open_gateway: FromFile) -> None:
    ask(open_gateway.url, "hello", model="best")
    open_gateway.settle()
    said = Client(open_gateway.url).get("/dashboard/policies").text
    assert "as much as the reference" in said
    assert "0 % less" not in said


def test_a_filter_by_a_model_that_is_configured_no_more_can_be_seen(
    open_gateway: FromFile,
) -> None:
    page = Client(open_gateway.url).get("/dashboard/requests?model=retired&policy=old").text
    assert "<option selected>retired</option>" in page
    assert "<option selected>old</option>" in page


def test_a_policy_whose_name_has_a_slash_can_be_edited(tmp_path: Path, provider: Provider) -> None:
    ledger = {"path": str(tmp_path / "ledger.db")}
    data = config_for(provider.url, ledger=ledger, policies={"team/nightly": {"wait_s": 0}})
    file = tmp_path / "tierwise.yaml"
    file.write_text(yaml.safe_dump(data, sort_keys=False))
    with FromFile(file) as gateway:
        client, path = Client(gateway.url), "/dashboard/policies/team/nightly"
        assert f'href="{path}"' in client.get("/dashboard/policies").text
        edit = client.get(path)
        assert edit.status == 200
        sent = {"name": "team/nightly", "quality": "0.7", "gates": "complete, json_schema"}
        found = client.post(f"{path}/preview", token=token_of(edit.text), **sent)
        assert found.status == 200, found.text
        seen = re.search(r'name="seen" value="([0-9a-f]+)"', found.text)
        assert seen is not None
        token = token_of(found.text)
        assert client.post(f"{path}/apply", token=token, seen=seen[1], **sent).status == 303
        other = client.post(f"{path}/preview", token=token, **{**sent, "name": "team/daily"})
        assert other.status == 400
    written = yaml.safe_load(file.read_text())["policies"]
    assert written["team/nightly"] == {"wait_s": 0, "quality": 0.7}
    assert "team/daily" not in written


def signed_in(page: Any, url: str, key: str) -> None:
    page.goto(url)
    page.get_by_label("Key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Overview", level=1).wait_for()


@pytest.mark.process
@pytest.mark.parametrize("width", [1440, 1101, 920, 390])
def test_long_names_and_lists_stay_within_their_page(tab: Any, both: Tenants, width: int) -> None:
    if "x" * 100 not in both.ours.keys:
        both.ours.key("x" * 100, models=tuple(f"model-{n}" for n in range(40)))
    page = tab.page
    signed_in(page, both.gateway.url, OPERATOR_KEY)
    page.set_viewport_size({"width": width, "height": 860})
    for path in ("/dashboard/keys", "/dashboard/audit"):
        page.goto(both.gateway.url + path)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
    page.goto(both.gateway.url + "/dashboard/keys")
    row = page.locator("tr", has_text="x" * 100)
    assert "model-39" not in row.inner_text()
    row.get_by_text("and 34 more").click()
    assert "model-39" in row.inner_text()


@pytest.mark.process
def test_small_sums_stand_beside_their_share_on_a_phone(tab: Any, open_gateway: FromFile) -> None:
    ask(open_gateway.url, "hello")
    open_gateway.settle()
    page = tab.page
    page.set_viewport_size({"width": 390, "height": 860})
    page.goto(open_gateway.url)
    cut = page.evaluate(
        """() => [...document.querySelectorAll(".bars tr td:last-child")].filter((cell) => {
          cell.textContent = "$0.0000000568";
          return cell.scrollWidth > cell.clientWidth;
        }).length"""
    )
    assert page.locator(".bars tbody tr").count() >= 2
    assert cut == 0


@pytest.mark.process
def test_times_are_those_of_the_reader_and_of_another_year_with_it(
    chromium: Any, open_gateway: FromFile
) -> None:
    ask(open_gateway.url, "hello")
    open_gateway.settle()
    context = chromium.new_context(timezone_id="Asia/Kolkata", locale="en-GB")
    page = context.new_page()
    page.goto(open_gateway.url + "/dashboard/requests")
    time = page.locator("time")
    utc = time.get_attribute("datetime")
    theirs = page.evaluate(
        """(at) => new Date(at).toLocaleTimeString("en-GB", { timeZone: "Asia/Kolkata" })""", utc
    )
    assert time.inner_text().endswith(theirs)
    assert utc[:4] not in time.inner_text()
    assert time.get_attribute("title") == utc.replace("T", " ").replace("Z", " UTC")
    page.clock.set_fixed_time("2041-06-01T00:00:00Z")
    page.reload()
    assert utc[:4] in page.locator("time").inner_text()
    context.close()


@pytest.mark.process
def test_what_went_wrong_stands_below_what_had_come(tab: Any, open_gateway: FromFile) -> None:
    page = tab.page
    page.goto(open_gateway.url + "/dashboard/playground")
    for name in ("economy", "best"):
        page.get_by_role("checkbox", name=f"{name} policy").uncheck()
    said = [{"choices": [{"delta": {"content": "one"}}]}, {"error": {"message": "It broke off."}}]
    stream = "".join(f"data: {json.dumps(event)}\n\n" for event in said)
    page.route("**/playground/ask", lambda route: route.fulfill(body=stream))
    page.get_by_role("button", name="Ask").click()
    page.locator(".answer.failed").wait_for()
    assert page.locator(".answer .text").inner_text() == "one\n\nIt broke off."
    page.unroute("**/playground/ask")
    page.route("**/playground/ask", lambda route: route.abort())
    page.get_by_role("button", name="Ask").click()
    page.locator(".answer.failed").get_by_text("The gateway does not answer").wait_for()
