"""The pages in a real browser: what people do there, by mouse and by keys alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway import Provider, RunningGateway, fails, pauses
from pages import ask
from tenants import OPERATOR_KEY, Tenants

pytestmark = pytest.mark.process

PAGES = {
    "overview": "/",
    "requests": "/dashboard/requests",
    "models": "/dashboard/models",
    "keys": "/dashboard/keys",
    "policies": "/dashboard/policies",
    "policy": "/dashboard/policies/auto",
    "playground": "/dashboard/playground",
}


def enter(tab: Any, url: str, key: str) -> None:
    """Signs in."""
    tab.page.goto(url)
    tab.page.get_by_label("Key").fill(key)
    tab.page.get_by_role("button", name="Sign in").click()
    tab.page.get_by_role("heading", name="Overview", level=1).wait_for()


@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 768, 390])
def test_every_page_opens_without_a_complaint(
    chromium: Any, tab: Any, open_gateway: RunningGateway, look: str, width: int
) -> None:
    for text in ("one", "two", "three"):
        ask(open_gateway.url, text)
    opened = ask(open_gateway.url, "four")
    open_gateway.settle()
    page = tab.page
    page.set_viewport_size({"width": width, "height": 860})
    page.emulate_media(color_scheme=look)
    for name, path in {**PAGES, "request": f"/dashboard/requests/{opened}"}.items():
        page.goto(open_gateway.url + path)
        page.get_by_role("main").wait_for()
        assert page.get_by_role("heading", level=1).count() == 1, name
        assert page.evaluate(_TOO_WIDE) <= 0, name
        assert page.evaluate(_MOVED) == [], name
        tab.picture(f"{name}-{width}-{look}")
    assert tab.complaints == []


@pytest.mark.parametrize("width", [1280, 768, 390])
def test_keys_and_acts_fit_their_page_with_all_that_can_be_opened(
    tab: Any, both: Tenants, width: int
) -> None:
    enter(tab, both.gateway.url, both.ours.secrets["admin"])
    page = tab.page
    page.set_viewport_size({"width": width, "height": 860})
    for path in ("/dashboard/keys", "/dashboard/audit"):
        page.goto(both.gateway.url + path)
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true })")
        assert page.evaluate(_TOO_WIDE) <= 0, path
        assert page.evaluate(_FAINT) == [], path
        tab.picture(f"{path.rpartition('/')[2]}-admin-{width}")
    assert tab.complaints == []


def test_the_look_follows_the_switch_and_stays(tab: Any, open_gateway: RunningGateway) -> None:
    page = tab.page
    page.emulate_media(color_scheme="light")
    page.goto(open_gateway.url)

    def background() -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    light = background()
    page.get_by_role("button", name="Switch between light and dark").click()
    dark = background()
    assert dark != light
    page.goto(open_gateway.url + "/dashboard/models")
    assert background() == dark
    page.evaluate("localStorage.clear()")
    page.emulate_media(color_scheme="dark")
    page.reload()
    assert background() == dark


def test_somebody_signs_in_and_out(tab: Any, both: Tenants) -> None:
    page = tab.page
    page.goto(both.gateway.url + "/dashboard/models")
    tab.picture("login")
    page.get_by_label("Key").fill("not-a-key")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("alert").wait_for()
    page.get_by_label("Key").fill(both.ours.secrets["viewer"])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Models", level=1).wait_for()  # where they wanted to go
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in to Tierwise").wait_for()


def test_requests_are_filtered_and_one_is_opened(
    tab: Any, open_gateway: RunningGateway, provider: Any
) -> None:
    wanted = ask(open_gateway.url, "Is it raining?", model="stepwise")
    ask(open_gateway.url, "Is it raining?", model="large")
    open_gateway.settle()
    page = tab.page
    page.goto(open_gateway.url + "/dashboard/requests")
    assert page.locator("a.row").count() == 2
    page.get_by_label("Policy").select_option("stepwise")
    page.get_by_role("button", name="Find").click()
    page.wait_for_url("**policy=stepwise**")
    assert page.locator("a.row").count() == 1
    page.locator("a.row").click()
    page.get_by_role("heading", name="Why this model?").wait_for()
    assert wanted in page.url
    assert "under the policy stepwise" in page.locator(".why").inner_text()
    steps = page.locator(".timeline h3").all_inner_texts()
    assert steps[0] == "Analysed"
    assert any(step.startswith("Asked alpha/small") for step in steps)
    assert steps[-1].startswith("Done")


def test_a_failed_call_is_in_the_timeline(
    tab: Any, open_gateway: RunningGateway, provider: Any
) -> None:
    provider.acts["small"] = fails(500, {"message": "broken"})
    opened = ask(open_gateway.url, "Is it raining?", model="stepwise")
    open_gateway.settle()
    tab.page.goto(f"{open_gateway.url}/dashboard/requests/{opened}")
    assert "alpha/small failed" in tab.page.locator(".why").inner_text()
    tab.page.goto(open_gateway.url + "/dashboard/requests?trouble=failover")
    assert tab.page.locator("a.row").count() == 1


def test_the_overview_renews_itself(tab: Any, open_gateway: RunningGateway) -> None:
    page = tab.page
    page.goto(open_gateway.url)
    page.get_by_text("Nothing was asked in this period").wait_for()
    ask(open_gateway.url, "hello")
    page.get_by_role("heading", name="Saved by routing").wait_for()
    assert tab.complaints == []


def test_a_key_is_created_shown_once_and_revoked(tab: Any, both: Tenants) -> None:
    enter(tab, both.gateway.url, both.ours.secrets["admin"])
    page = tab.page
    page.goto(both.gateway.url + "/dashboard/keys")
    page.get_by_role("heading", name="Create a key").click()
    page.get_by_label("Name", exact=True).fill("from the browser")
    page.get_by_role("button", name="Create key").click()
    secret = page.get_by_label("The new secret").input_value()
    tab.picture("key-created")
    ask(both.gateway.url, "hello", secret)
    page.goto(both.gateway.url + "/dashboard/keys")
    assert secret not in page.content()
    page.on("dialog", lambda dialog: dialog.accept())
    row = page.get_by_role("row").filter(has_text="from the browser")
    row.get_by_label("Change the key from the browser").click()
    row.get_by_role("button", name="Revoke for good").click()
    page.get_by_role("status").get_by_text("revoked").wait_for()
    assert tab.complaints == []


def test_a_member_makes_a_key_and_an_admin_finds_it_in_the_audit_log(
    tab: Any, both: Tenants
) -> None:
    enter(tab, both.gateway.url, both.ours.secrets["member"])
    page = tab.page
    assert page.get_by_role("link", name="Audit log").count() == 0
    page.get_by_role("link", name="Keys & budgets").click()
    page.get_by_role("heading", name="Create a key").click()
    page.get_by_label("Name", exact=True).fill("her laptop")
    page.get_by_label("Policies").fill("none-such")
    page.get_by_role("button", name="Create key").click()
    assert "none-such" in page.get_by_role("alert").inner_text()
    assert page.get_by_label("Name", exact=True).input_value() == "her laptop"
    page.get_by_label("Policies").fill("auto")
    page.get_by_role("button", name="Create key").click()
    ask(both.gateway.url, "hello", page.get_by_label("The new secret").input_value())
    tab.complaints.clear()  # of the form that was refused
    page.get_by_role("button", name="Sign out").click()
    enter(tab, both.gateway.url, both.ours.secrets["admin"])
    page.get_by_role("link", name="Audit log").click()
    page.get_by_label("To which").fill("her laptop")
    page.locator("#f-action").select_option("key made")
    page.get_by_role("button", name="Find").click()
    page.wait_for_url("**target=her*")
    (row,) = page.locator("tbody tr").all()
    assert "key made" in row.inner_text()
    assert both.ours.keys["member"].id in row.inner_text()
    assert tab.complaints == []


def test_a_key_that_is_not_confirmed_is_not_revoked(tab: Any, both: Tenants) -> None:
    secret = both.ours.key("kept")
    enter(tab, both.gateway.url, both.ours.secrets["admin"])
    page = tab.page
    page.goto(both.gateway.url + "/dashboard/keys")
    page.on("dialog", lambda dialog: dialog.dismiss())
    row = page.get_by_role("row").filter(has_text="kept")
    row.get_by_label("Change the key kept").click()
    row.get_by_role("button", name="Revoke for good").click()
    ask(both.gateway.url, "still there", secret)


def test_a_policy_is_edited_previewed_and_applied(
    tab: Any, open_gateway: RunningGateway, file: Path
) -> None:
    for text in ("one", "two", "three"):
        ask(open_gateway.url, text)
    open_gateway.settle()
    before = file.read_text()
    page = tab.page
    page.goto(open_gateway.url + "/dashboard/policies")
    page.get_by_role("link", name="Edit a copy of auto").click()
    page.get_by_label("Quality").fill("0.6")
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("heading", name="What last week would have cost").wait_for()
    assert "estimated" in page.locator("#preview").inner_text()
    assert file.read_text() == before
    added = page.locator(".diff .add").all_inner_texts()
    assert any("quality: 0.6" in line for line in added)
    tab.picture("policy-previewed")
    page.get_by_role("button", name="Apply and reload").click()
    page.get_by_role("status").wait_for()
    assert "# What callers may want." in file.read_text()
    assert "quality: 0.6" in file.read_text()
    auto = page.locator(".policy").filter(has=page.get_by_role("heading", name="auto"))
    assert "quality 60 %" in auto.inner_text()
    assert tab.complaints == []


def test_a_wrong_value_is_told_and_nothing_is_written(
    tab: Any, open_gateway: RunningGateway, file: Path
) -> None:
    before = file.read_text()
    page = tab.page
    page.goto(open_gateway.url + "/dashboard/policies/auto")
    page.get_by_label("Quality").fill("7")
    page.get_by_role("button", name="Preview").click()
    assert "quality" in page.get_by_role("alert").inner_text()
    assert page.get_by_role("button", name="Apply and reload").count() == 0
    assert file.read_text() == before


def test_the_playground_streams_side_by_side(tab: Any, open_gateway: RunningGateway) -> None:
    page = tab.page
    page.goto(open_gateway.url + "/dashboard/playground")
    page.get_by_role("textbox", name="Prompt").first.fill("say this again")
    for name in ("economy", "best"):
        page.get_by_role("checkbox", name=f"{name} policy").uncheck()
    page.get_by_role("checkbox", name="small").check()
    page.get_by_role("button", name="Ask").click()
    page.get_by_text("2 answers, all done.").wait_for()
    answers = page.locator(".answer .text").all_inner_texts()
    assert answers == ["say this again"] * 2
    tab.picture("playground-answered")
    page.locator(".bill").first.get_by_text("answered").wait_for()
    assert "$" in page.locator(".bill .came").first.inner_text()
    page.get_by_role("link", name="Open the request").first.click()
    page.get_by_role("heading", name="Why this model?").wait_for()
    assert tab.complaints == []


def test_words_appear_as_they_come_until_they_are_stopped(
    tab: Any, open_gateway: RunningGateway, provider: Provider
) -> None:
    provider.acts["small"] = pauses(provider)
    page = tab.page
    page.goto(open_gateway.url + "/dashboard/playground")
    for name in ("auto", "economy", "best"):
        page.get_by_role("checkbox", name=f"{name} policy").uncheck()
    page.get_by_role("checkbox", name="small").check()
    page.get_by_role("textbox", name="Prompt").first.press("Control+Enter")
    page.locator(".answer .text").get_by_text("one").wait_for()
    assert page.locator(".answer").get_attribute("aria-busy") == "true"
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("status").get_by_text("Stopped.").wait_for()
    assert page.locator(".answer .text").inner_text().strip() == "one"
    assert page.get_by_role("button", name="Ask", exact=True).is_enabled()
    provider.release.set()
    assert tab.complaints == []


def test_an_error_stands_in_its_column(
    tab: Any, open_gateway: RunningGateway, provider: Any
) -> None:
    provider.acts["small"] = fails(400, {"message": "no such thing"})
    page = tab.page
    page.goto(open_gateway.url + "/dashboard/playground")
    for name in ("auto", "economy", "best"):
        page.get_by_role("checkbox", name=f"{name} policy").uncheck()
    page.get_by_role("checkbox", name="small").check()
    page.get_by_role("button", name="Ask").click()
    page.locator(".answer.failed").wait_for()
    assert "no such thing" in page.locator(".answer .text").inner_text()


def test_everything_can_be_reached_by_keys_alone(tab: Any, both: Tenants) -> None:
    page = tab.page
    page.goto(both.gateway.url)
    page.keyboard.type(OPERATOR_KEY)  # the field has the focus
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Overview", level=1).wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.goto(both.gateway.url)
    reached = []
    for _ in range(14):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent.trim()"))
        seen = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert seen != "none", reached[-1]
    for name in ("Overview", "Requests", "Models", "Keys & budgets", "Policies", "Playground"):
        assert name in reached
    page.keyboard.press("Shift+Tab")
    page.get_by_role("link", name="Policies").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Policies", level=1).wait_for()


@pytest.mark.parametrize("name", PAGES)
def test_everything_has_a_name_for_those_who_hear_the_page(
    tab: Any, open_gateway: RunningGateway, name: str
) -> None:
    ask(open_gateway.url, "hello")
    open_gateway.settle()
    page = tab.page
    page.goto(open_gateway.url + PAGES[name])
    for role in ("banner", "main", "navigation"):
        assert page.get_by_role(role).count() >= 1
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll("input, select, textarea, button, a, summary")]
          .filter((e) => e.type !== "hidden" && !(e.labels?.length || e.ariaLabel
            || e.textContent.trim()))
          .map((e) => e.outerHTML)"""
    )
    assert unnamed == []
    assert page.evaluate(
        """() => [...document.querySelectorAll("table")].every((t) => t.caption !== null)"""
    )
    assert page.evaluate(
        """() => [...document.querySelectorAll("svg")].every(
          (s) => s.ariaHidden === "true" || s.ariaLabel)"""
    )
    assert page.evaluate("""() => document.documentElement.lang === "en" """)
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("look", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(
    tab: Any, open_gateway: RunningGateway, look: str
) -> None:
    """At least 4.5 to 1, as WCAG 2.2 has it for its level AA (1.4.3)."""
    ask(open_gateway.url, "hello")
    open_gateway.settle()
    page = tab.page
    page.emulate_media(color_scheme=look)
    for name, path in PAGES.items():
        page.goto(open_gateway.url + path)
        faint = page.evaluate(_FAINT)
        assert faint == [], name


_TOO_WIDE = "document.documentElement.scrollWidth - innerWidth"
_MOVED = """() => new Promise((done) => {
  const found = [];
  new PerformanceObserver((seen) => {
    for (const shift of seen.getEntries()) {
      if (shift.value > 0.01) found.push(shift.sources.map((s) => String(s.node?.outerHTML)));
    }
  }).observe({ type: "layout-shift", buffered: true });
  setTimeout(() => done(found), 100);
})"""
"""What has moved since the page was first drawn, without anybody having done something."""

_FAINT = """() => {
  const parsed = (color) => {
    const context = document.createElement("canvas").getContext("2d");
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    return context.getImageData(0, 0, 1, 1).data;
  };
  const light = ([r, g, b]) => {
    const part = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const color = parsed(getComputedStyle(e).backgroundColor);
      if (color[3] === 255) return color;
    }
    return [255, 255, 255, 255];
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || element.matches(":disabled, option") || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const color = parsed(element instanceof SVGElement ? style.fill : style.color);
    const [a, b] = [light(color), light(behind(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) found.push(`${element.textContent.trim().slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return found;
}"""
