"""The hand-written facts of `models.json`, and that they agree with the price list."""

from __future__ import annotations

import itertools
import re
import statistics

import pytest

from tierwise.catalog import Catalog, curated, prior
from tierwise.catalog.curated import Facts
from tierwise.catalog.names import key
from tierwise.types import Prices

FACTS = curated.load()
SIZES = ("tiny", "small", "medium", "large", "frontier")


def test_every_model_has_a_price() -> None:
    catalog = Catalog.builtin()
    assert len(catalog) == len(FACTS) >= 90
    for facts in FACTS:
        model = catalog.get(facts.id)
        assert model is not None
        assert model.prices.input > 0, facts.id
        assert model.prices.output > 0, facts.id


def test_every_model_is_found_by_its_id_and_all_its_aliases() -> None:
    catalog = Catalog.builtin()
    for facts in FACTS:
        for name in (facts.id, *facts.aliases):
            found = catalog.resolve(name)
            assert found is not None, name
            assert found.id == facts.id, name


def test_no_two_names_fold_to_the_same_key() -> None:
    names = [name for facts in FACTS for name in (facts.id, *facts.aliases)]
    folded = [key(name) for name in names]
    assert len(set(folded)) == len(folded), sorted(k for k in folded if folded.count(k) > 1)


def test_the_file_is_in_its_stable_order() -> None:
    def position(facts: Facts) -> tuple[str, int, int, str]:
        return facts.family, SIZES.index(facts.size), facts.standing, facts.id

    assert sorted(FACTS, key=position) == FACTS


def test_ids_have_no_slash_which_would_read_as_a_provider() -> None:
    assert [facts.id for facts in FACTS if "/" in facts.id or facts.id != facts.id.lower()] == []


def test_release_dates_are_a_year_and_a_month() -> None:
    form = re.compile(r"20\d\d-(0[1-9]|1[0-2])")
    assert [f.id for f in FACTS if f.release and not form.fullmatch(f.release)] == []


def test_limits_are_plausible() -> None:
    for facts in FACTS:
        if facts.context_window is not None:
            assert 4_000 <= facts.context_window <= 10_000_000, facts.id
            assert (facts.max_output_tokens or 1) <= facts.context_window, facts.id


def test_a_model_that_enforces_a_schema_is_not_without_tools() -> None:
    having = [f for f in FACTS if "json_schema" in f.capabilities]
    assert having
    assert [f.id for f in having if "tools" not in f.capabilities] == []


def test_standings_stay_on_the_scale_that_prior_explains() -> None:
    assert [f.id for f in FACTS if not 1100 <= f.standing <= 1550] == []


def test_within_a_family_neither_an_older_nor_a_smaller_model_stands_higher() -> None:
    upside_down = [
        f"{one.id} stands above {other.id}"
        for one, other in itertools.permutations(FACTS, 2)
        if one.family == other.family
        and not one.specialises
        and not other.specialises
        and _is_lesser(one, other)
        and one.standing > other.standing
    ]
    assert upside_down == []


def _is_lesser(one: Facts, other: Facts) -> bool:
    """Whether `one` is the smaller and not newer, or the older and not larger."""
    if one.release is None or other.release is None:
        return False
    size, other_size = SIZES.index(one.size), SIZES.index(other.size)
    if size < other_size:
        return one.release <= other.release
    return size == other_size and one.release < other.release


@pytest.mark.parametrize(
    ("model", "quality"), [("gpt-4-1106-preview", 0.83), ("mixtral-8x7b", 0.66)]
)
def test_the_scale_passes_through_its_two_anchors(model: str, quality: float) -> None:
    found = Catalog.builtin().get(model)
    assert found is not None
    assert found.quality == pytest.approx(quality, abs=0.005)


def test_quality_rises_with_standing_and_stays_a_share() -> None:
    qualities = [prior.quality(standing) for standing in range(900, 1700, 50)]
    assert qualities == sorted(set(qualities))
    assert 0 < qualities[0] < qualities[-1] < 1


def test_the_standing_guessed_from_a_price_lies_amid_the_catalogue() -> None:
    catalog = Catalog.builtin()
    gaps = [
        facts.standing - prior.standing_by_price(model.prices)
        for facts in FACTS
        if (model := catalog.get(facts.id)) is not None
    ]
    assert abs(statistics.mean(gaps)) < 20


@pytest.mark.parametrize(("per_mtok", "standing"), [(0.0, 1150), (0.001, 1170), (1000.0, 1450)])
def test_no_price_makes_an_unknown_model_one_of_the_best_nor_useless(
    per_mtok: float, standing: float
) -> None:
    guess = prior.standing_by_price(Prices(input=per_mtok, output=per_mtok))
    assert guess == pytest.approx(standing)


def test_only_models_made_for_it_specialise_in_code() -> None:
    specialists = {f.id for f in FACTS if f.specialises}
    assert {"code-llama-34b", "qwen3-coder", "codestral"} <= specialists
    assert len(specialists) < len(FACTS) / 10
