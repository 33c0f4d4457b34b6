"""The audit log as a page: who did what, when, to which, and how it was before and after."""

from __future__ import annotations

from base64 import b64encode

import pytest

from pages import Person
from tenants import Tenants
from tierwise.accounts.secrets import digest_of
from tierwise.accounts.types import OPERATOR, Actor
from tierwise.accounts.wanted import BudgetChange, NewBudget, NewKey, NewTeam, TeamChange

AUDIT = "/dashboard/audit"


def rows(person: Person, query: str = "") -> list[str]:
    """The acts of a page, one by one."""
    answer = person.get(f"{AUDIT}{query}")
    assert answer.status == 200, answer.text
    return answer.text.partition("<tbody>")[2].split("<tr>")[1:]


def test_the_way_to_it_is_shown_to_admins_alone(people: dict[str, Person]) -> None:
    shown = {role: f'href="{AUDIT}"' in people[role].get("/").text for role in people}
    assert shown == {
        "operator": True, "admin": True, "alien": True, "member": False, "viewer": False,
    }  # fmt: skip


def test_an_act_says_who_did_what_and_how_it_was_before_and_after(
    people: dict[str, Person], both: Tenants
) -> None:
    admin = Actor(name="Ida <admin>", org=both.ours.id, role="admin")
    store = both.accounts.store
    team = store.create_team(admin, NewTeam(name="old name")).id
    store.change_team(admin, team, TeamChange(name="new name"))
    latest, made = rows(people["admin"])[:2]
    assert "Ida &lt;admin&gt;" in latest
    assert "team changed" in latest
    assert team in latest
    assert "<del>old name</del>" in latest
    assert "<ins>new name</ins>" in latest
    assert "team made" in made
    assert "<del>" not in made


def test_a_budget_s_act_names_its_owner_and_money(people: dict[str, Person], both: Tenants) -> None:
    store = both.accounts.store
    wanted = NewBudget(scope="team", owner=both.ours.team, period="day", hard_usd=5)
    budget = store.create_budget(OPERATOR, wanted).id
    store.change_budget(OPERATOR, budget, BudgetChange(hard_usd=7))
    store.delete_budget(OPERATOR, budget)
    deleted, changed, made = rows(people["admin"])[:3]
    assert "budget taken away" in deleted
    assert "of search" in deleted
    assert "<del>$5.00</del>" in changed
    assert "<ins>$7.00</ins>" in changed
    assert "of search" in made
    assert "refuses past" in made
    more = store.create_budget(OPERATOR, wanted).id
    store.change_budget(OPERATOR, more, BudgetChange(hard_usd=7))
    assert "of search" in rows(people["admin"])[0]
    store.delete_budget(OPERATOR, more)


def test_what_is_done_to_the_gateway_itself_is_told_to_operators(
    people: dict[str, Person], both: Tenants
) -> None:
    for path in ("deployments/alpha/small/drain", "deployments/alpha/small/restore", "cache/clear"):
        assert both.call("POST", path).status == 200
    with both.accounts.database.act(OPERATOR) as act:
        act.note("configuration.reload", "tierwise.yaml", None)
    done = {
        "deployment.drain": "deployment drained",
        "deployment.restore": "deployment restored",
        "cache.clear": "cache emptied",
        "configuration.reload": "configuration read again",
    }
    for action, words in done.items():
        (latest, *_) = rows(people["operator"], f"?action={action}")
        assert words in latest
        assert "the gateway" in latest
        option = f'<option value="{action}"'
        assert option in people["operator"].get(AUDIT).text
        assert option not in people["admin"].get(AUDIT).text


def test_nothing_of_another_organisation_is_in_it(people: dict[str, Person], both: Tenants) -> None:
    ours, theirs = both.ours, both.theirs
    mine = people["admin"].get(AUDIT).text
    assert ours.keys["member"].id in mine
    for query in ("", f"?target={theirs.keys['member'].id}", "?target=theirs", "?who=line"):
        found = "".join(rows(people["admin"], query))
        assert theirs.id not in found
        assert theirs.keys["member"].id not in found
    assert theirs.keys["member"].id in people["operator"].get(f"{AUDIT}?action=key.create").text


def test_an_id_that_somebody_writes_into_an_act_is_not_told_the_name_of(
    people: dict[str, Person], both: Tenants
) -> None:
    store, wanted = both.accounts.store, NewTeam(name="unheard-of", org=both.theirs.id)
    elsewhere = store.create_team(OPERATOR, wanted).id
    admin = Actor(name="Ida", org=both.ours.id, role="admin")
    team = store.create_team(admin, NewTeam(name="old")).id
    store.change_team(admin, team, TeamChange(name=elsewhere))
    found = "".join(rows(people["admin"], f"?target={team}"))
    assert elsewhere in found
    assert "unheard-of" not in found


def test_a_rotation_says_until_when_the_old_secret_is_valid(
    people: dict[str, Person], both: Tenants
) -> None:
    keyring = both.accounts.keyring
    key, _ = keyring.create(OPERATOR, NewKey(name="turned", org=both.ours.id))
    keyring.rotate(OPERATOR, key.id, 60)
    (latest, *_) = rows(people["admin"])
    assert "key given a new secret" in latest
    assert f"<del>{key.prefix}</del>" in latest
    assert "old one valid until" in latest


def test_no_secret_and_no_digest_is_in_it(people: dict[str, Person], both: Tenants) -> None:
    _, new = both.accounts.keyring.rotate(OPERATOR, both.ours.keys["other"].id, 60)
    page = people["operator"].get(AUDIT).text
    assert "key given a new secret" in page
    for secret in (*both.ours.secrets.values(), new.value):
        digest = digest_of(secret)
        for shown in (secret, digest.hex(), b64encode(digest).decode()):
            assert shown not in page


def test_acts_are_found_by_who_what_which_and_when(
    people: dict[str, Person], both: Tenants
) -> None:
    admin, store = people["admin"], both.accounts.store
    actor = Actor(name="somebody 100% new", org=both.ours.id, role="admin")
    team = store.create_team(actor, NewTeam(name="looked for")).id
    for query in (
        "?who=100%25",
        f"?target={team}",
        "?target=looked",
        "?action=team.create&target=looked&period=1h&who=somebody",
    ):
        assert len(rows(admin, query)) == 1, query
    assert rows(admin, "?action=team.delete&target=looked") == []
    assert "No act is like that" in admin.get(f"{AUDIT}?who=nobody-at-all").text


def test_earlier_acts_are_on_further_pages_each_once(
    people: dict[str, Person], both: Tenants
) -> None:
    store = both.accounts.store
    actor = Actor(name="busy", org=both.ours.id, role="admin")
    for n in range(120):
        store.create_team(actor, NewTeam(name=f"paged-{n}"))
    found, query = [], "?who=busy"
    while query:
        page = people["admin"].get(f"{AUDIT}{query}").text
        found += [part.split("<")[0] for part in page.split('class="strong">')[1:]]
        _, there, further = page.partition('rel="next" href="/dashboard/audit')
        query = further.split('"')[0].replace("&amp;", "&") if there else ""
    assert found == [f"paged-{n}" for n in reversed(range(120))]


@pytest.mark.parametrize("before", ["x", "-1", "9999999999999", "1.5"])
def test_a_place_that_is_none_is_told_so(people: dict[str, Person], before: str) -> None:
    answer = people["admin"].get(f"{AUDIT}?before={before}")
    assert answer.status == 400
    assert "no number of an act" in answer.text


def test_without_accounts_it_says_how_to_begin(open_gateway: object) -> None:
    from from_file import FromFile
    from pages import Client

    assert isinstance(open_gateway, FromFile)
    page = Client(open_gateway.url).get(AUDIT)
    assert page.status == 200
    assert "accounts:" in page.text
