"""A gateway with pages, people who sign in to it, and a browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from from_file import FromFile
from gateway import KEY, Provider, RunningGateway, call, config_for
from made_records import make_record
from pages import Client, Person, ask, sign_in
from required import bringing, lacking
from tenants import OPERATOR_KEY, Tenants, tenants

__all__ = ["make_record"]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenants]:
    """Two tenants, each with one request of its member and one of its other member."""
    with tenants(tmp_path_factory.mktemp("tenants")) as found:
        for tenant in (found.ours, found.theirs):
            for name in ("member", "other"):
                ask(found.gateway.url, f"hello of {tenant.id} {name}", tenant.secrets[name])
        found.gateway.settle()
        yield found


@pytest.fixture
def people(both: Tenants) -> dict[str, Person]:
    """Everybody who can sign in, by role; `alien` is an admin of the other organisation."""
    ours = both.ours.secrets
    keys = {
        "operator": OPERATOR_KEY,
        "admin": ours["admin"],
        "member": ours["member"],
        "viewer": ours["viewer"],
        "alien": both.theirs.secrets["admin"],
    }
    return {name: sign_in(both.gateway.url, key) for name, key in keys.items()}


@pytest.fixture
def file(tmp_path: Path, provider: Provider) -> Path:
    """A configuration with comments, without keys."""
    data = config_for(provider.url, ledger={"path": str(tmp_path / "ledger.db")})
    policies = data.pop("policies")
    del policies["hasty"]
    text = yaml.safe_dump(data, sort_keys=False)
    text += "# What callers may want.\n" + yaml.safe_dump({"policies": policies}, sort_keys=False)
    path = tmp_path / "tierwise.yaml"
    path.write_text(text)
    return path


@pytest.fixture
def open_gateway(file: Path) -> Iterator[FromFile]:
    """A gateway for this machine alone, whose configuration may be changed."""
    with FromFile(file) as gateway:
        assert call(gateway.url, "GET", "/health/live", key=None).status == 200
        yield gateway


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser without a window. While it is there, no test of its module can be asynchronous."""
    sync_api = bringing("playwright.sync_api", "playwright")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        lacking("chromium is not installed")
    try:
        playwright = sync_api.sync_playwright().start()
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
    except sync_api.Error as error:
        lacking(f"chromium cannot start: {str(error).splitlines()[0]}")
    yield browser
    browser.close()
    playwright.stop()


class Tab:
    """A page in the browser; what it complains of is kept."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on(
            "console",
            lambda said: (
                self.complaints.append(said.text) if said.type in ("error", "warning") else None
            ),
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def picture(self, name: str) -> None:
        """Writes a screenshot to the folder of TIERWISE_SCREENSHOTS, if that is set."""
        folder = os.environ.get("TIERWISE_SCREENSHOTS")
        if folder:
            self.page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


@pytest.fixture
def tab(chromium: Any) -> Iterator[Tab]:
    """A fresh one."""
    context = chromium.new_context(viewport={"width": 1280, "height": 860})
    context.set_default_timeout(10_000)
    yield Tab(context.new_page())
    context.close()


@pytest.fixture
def keyed(gateway: RunningGateway) -> Person:
    """Somebody with a key of the configuration that does not operate the gateway."""
    return sign_in(gateway.url, KEY)


@pytest.fixture
def plain(gateway: RunningGateway) -> Client:
    """Somebody who has not signed in."""
    return Client(gateway.url)
