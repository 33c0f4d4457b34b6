"""Long lists of the dashboard: in pages, and looked through."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from gateway import RunningGateway, config_for
from pages import Client, sign_in
from tenants import Tenants, tenants
from tierwise.accounts.types import OPERATOR
from tierwise.accounts.wanted import NewBudget

_KEY = re.compile(r'<tr id="(key_\w+)"')


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenants]:
    with tenants(tmp_path_factory.mktemp("many")) as found:
        for number in range(60):
            found.ours.key(f"machine {number:02}", tags=("Night",) if number == 7 else ())
            wanted = NewBudget(
                scope="key",
                owner=found.ours.keys[f"machine {number:02}"].id,
                period="day",
                hard_usd=1.0,
            )
            found.accounts.store.create_budget(OPERATOR, wanted)
        yield found


def test_pages_show_every_key_once(many: Tenants) -> None:
    person = sign_in(many.gateway.url, many.ours.secrets["admin"])
    seen: list[str] = []
    path, pages = "/dashboard/keys", 0
    while path:
        text = person.get(path).text
        found = _KEY.findall(text)
        assert len(found) <= 25
        seen += found
        pages += 1
        further = re.search(r'rel="next" href="([^"#]*[?&;]page=[^"#]*)#keys"', text)
        path = further[1].replace("&amp;", "&") if further else ""
    assert pages == 3
    assert sorted(seen) == sorted(key.id for key in many.ours.keys.values())


@pytest.mark.parametrize("find", ["machine+07", "NIGHT"])
def test_a_key_is_found_by_any_part_of_what_it_is_called(many: Tenants, find: str) -> None:
    person = sign_in(many.gateway.url, many.ours.secrets["admin"])
    text = person.get(f"/dashboard/keys?find={find}").text
    assert _KEY.findall(text) == [many.ours.keys["machine 07"].id]
    assert "No key is like that" in person.get("/dashboard/keys?find=nothing").text


def test_budgets_have_pages_of_their_own(many: Tenants) -> None:
    person = sign_in(many.gateway.url, many.ours.secrets["admin"])
    first, last = (
        person.get("/dashboard/keys").text,
        person.get("/dashboard/keys?budget_page=3").text,
    )
    assert first.count("Remove the budget of") == 25
    assert last.count("Remove the budget of") == 10
    found = person.get("/dashboard/keys?budget_find=machine+31").text
    assert re.findall('Remove the budget of ([^"]*)', found) == ["machine 31"]


def test_a_short_list_has_neither_pages_nor_a_search(many: Tenants) -> None:
    text = sign_in(many.gateway.url, many.theirs.secrets["admin"]).get("/dashboard/keys").text
    assert "Find keys" not in text
    assert "Further keys" not in text


def test_a_page_that_is_no_number_is_an_error_and_one_too_far_the_last(many: Tenants) -> None:
    person = sign_in(many.gateway.url, many.ours.secrets["admin"])
    wrong = person.get("/dashboard/keys?page=x")
    assert wrong.status == 400
    assert "`page` is &#39;x&#39;" in wrong.text
    assert len(_KEY.findall(person.get("/dashboard/keys?page=99").text)) == 15


def test_many_models_have_pages_and_are_looked_through() -> None:
    data = config_for("http://127.0.0.1:9/v1")
    names = [f"model-{number:02}" for number in range(30)]
    data["models"] |= {
        name: {"prices": {"input": 1, "output": 2}, "quality": 0.5} for name in names
    }
    data["providers"]["alpha"]["models"] += names
    with RunningGateway(data) as gateway:
        client = Client(gateway.url)
        first, second = (client.get(f"/dashboard/models?page={n}").text for n in (1, 2))
        found = client.get("/dashboard/models?find=ODEL-17").text
    shown = [len(re.findall('<tr class="model">', text)) for text in (first, second, found)]
    assert shown[0] == 25
    assert shown[1] == len(data["models"]) - 25
    assert shown[2] == 1
    assert '<th scope="row">model-17</th>' in found
