"""The demo end to end: real processes, real HTTP, a provider killed on the way."""

from __future__ import annotations

import os
import urllib.request
from importlib import import_module
from pathlib import Path

import pytest

from tierwise.demo import Options, run
from tierwise.demo.drive import Outcome
from tierwise.demo.processes import StartFailed
from tierwise.errors import ConfigError
from tierwise.fleet import Fleet

SHARED = Path(os.environ.get("TIERWISE_SHARED") or Path(__file__).parents[3] / "shared")
ROUTERBENCH = SHARED / "outcomes" / "routerbench"


class Witness:
    """Remembers what a view is told."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.dead: list[str] = []
        self.answered_by_the_dead_afterwards = 0
        self.seen = ""

    def begin(self, fleet: Fleet, options: Options) -> None:
        pass

    def drives(self) -> None:
        pass

    def saw(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def killed(self, provider: str) -> None:
        self.dead.append(provider)

    def stays(self, url: str) -> None:
        with urllib.request.urlopen(f"{url}/?period=1h") as page:
            self.seen = page.read().decode()


def test_no_request_fails_although_a_provider_is_killed_half_way() -> None:
    witness = Witness()
    result = run(Options(requests=60, speed=0.0), witness)
    assert (result.requests, result.failed, result.wrong) == (60, 0, 0)
    assert result.errors == []
    assert witness.dead == [result.killed]
    before = [o.deployment for o in witness.outcomes[:30]]
    assert any(name is not None and name.startswith(f"{result.killed}/") for name in before)
    # Those that were under way may still come in; after them nobody is answered by the dead.
    last = [o.deployment for o in witness.outcomes[-10:]]
    assert not any(name is not None and name.startswith(f"{result.killed}/") for name in last)
    assert result.failovers >= 1


def test_the_figures_add_up_and_say_that_they_are_simulated() -> None:
    witness = Witness()
    result = run(Options(requests=40, speed=0.0), witness)
    fleet = Fleet.simulated(speed=0.0)
    assert result.simulated
    assert result.reference == fleet.reference
    assert result.cost_usd == pytest.approx(sum(o.cost_usd for o in witness.outcomes))
    assert result.reference_cost_usd == pytest.approx(
        sum(fleet.reference_cost(o.item) for o in witness.outcomes)
    )
    assert result.saving == pytest.approx(1 - result.cost_usd / result.reference_cost_usd)
    assert sum(result.by_model.values()) == 40
    assert 0 < result.small_share < 1


def test_naming_the_reference_costs_and_scores_what_the_reference_does() -> None:
    result = run(Options(requests=20, speed=0.0, policy="sim-large"), Witness())
    assert result.small_share == 0
    assert result.quality_rel == 1
    # The killed provider may have been asked in vain, but nobody pays for a refused connection.
    assert result.saving == pytest.approx(0)


def test_recordings_that_do_not_exist_are_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"prompts\.parquet"):
        run(Options(outcomes=tmp_path, requests=10), Witness())


@pytest.mark.skipif(not ROUTERBENCH.is_dir(), reason=f"no recorded outcomes at {ROUTERBENCH}")
def test_recorded_answers_of_real_models_pass_through_the_gateway_unaltered() -> None:
    result = run(Options(outcomes=ROUTERBENCH, requests=60, speed=0.0, policy="economy"), Witness())
    assert not result.simulated
    assert (result.failed, result.wrong) == (0, 0)
    assert result.reference == "gpt-4-1106-preview"
    assert result.saving > 0.5
    assert 0 < result.quality_rel < 1


@pytest.mark.skipif(not ROUTERBENCH.is_dir(), reason=f"no recorded outcomes at {ROUTERBENCH}")
def test_a_router_that_has_learned_from_other_prompts_saves_what_rules_cannot() -> None:
    options = Options(outcomes=ROUTERBENCH, requests=300, speed=0.0, learn=True)
    result = run(options, Witness())
    assert (result.failed, result.wrong) == (0, 0)
    assert 300 < result.learned_from <= len(Fleet.recorded(ROUTERBENCH).calibration)
    assert result.saving > 0.4
    assert result.small_share > 0.4
    assert result.quality_rel > 0.9
    # Answers are recorded, so it judges them; on its way through the gateway nothing gets lost.
    assert result.offline is not None
    assert abs(result.saving - result.offline.saving) < 0.02
    assert abs(result.quality_rel - result.offline.quality_rel) < 0.02


def test_ports_are_looked_for_when_all_is_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    module, done = import_module("tierwise.demo.run"), list[str]()

    def learn(*_: object) -> tuple[int, None]:
        done.append("learned")
        return 0, None

    def ports(_: int) -> int:
        done.append("looked for ports")
        raise StartFailed("that is enough")

    monkeypatch.setattr(module, "_learn", learn)
    monkeypatch.setattr(module, "free_ports", ports)
    with pytest.raises(StartFailed):
        run(Options(), Witness())
    assert done == ["learned", "looked for ports"]


def test_nothing_can_be_learned_from_a_simulated_fleet() -> None:
    with pytest.raises(ConfigError, match="--outcomes"):
        run(Options(requests=10, learn=True), Witness())


def test_the_dashboard_shows_a_saving_while_the_demo_stays() -> None:
    witness = Witness()
    result = run(Options(requests=40, speed=0.0, stay=True), witness)
    shown = witness.seen.split("Saved by routing</h2>")[1].split('class="figure">')[1]
    assert 0 < int(shown.split(" %")[0]) < 100
    assert result.failed == 0
    assert "Simulated." in witness.seen
