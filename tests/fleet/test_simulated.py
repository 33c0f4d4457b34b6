"""Simulated answers: deterministic, checkable, plausibly wrong."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict

import msgspec
import pytest

from tierwise.config import build, from_mapping
from tierwise.fleet import Fleet
from tierwise.fleet.simulated import Simulated, chance_of_right
from tierwise.fleet.tasks import MAKERS, make_task
from tierwise.fleet.tasks.code import EXERCISES, fill
from tierwise.types import DOMAINS, KINDS


@pytest.fixture(scope="module")
def simulated(source):
    return Fleet(source, speed=0)


@pytest.fixture(scope="module")
def scores(simulated):
    """Mean score by model and kind over the whole pool."""
    sums = defaultdict(list)
    for item in simulated.workload(4800):
        for model in simulated.models:
            score = simulated.score(item, model, simulated.expected(item, model))
            sums[model, item.kind].append(score)
            sums[model, item.domain].append(score)
            sums[model, "all"].append(score)
    return {key: sum(values) / len(values) for key, values in sums.items()}


def test_the_same_seed_gives_the_same_fleet_and_another_seed_another(simulated):
    same, other = Fleet.simulated(seed=0), Fleet.simulated(seed=1)
    items = simulated.workload(300)
    assert same.workload(300) == items
    assert other.workload(300) != items
    assert [same.expected(i, "sim-nano") for i in items] == [
        simulated.expected(i, "sim-nano") for i in items
    ]


def test_answers_do_not_depend_on_the_order_of_questions(simulated):
    items = simulated.workload(200)
    forwards = {item.id: simulated.expected(item, "sim-small") for item in items}
    fresh = Fleet.simulated()
    backwards = {item.id: fresh.expected(item, "sim-small") for item in reversed(items)}
    assert forwards == backwards


def test_another_process_says_the_same(simulated):
    program = (
        "import sys, msgspec; from tierwise.fleet import Fleet; f = Fleet.simulated();"
        "said = [(i.id, f.expected(i, 'sim-nano')) for i in f.workload(50)];"
        "sys.stdout.buffer.write(msgspec.json.encode(said))"
    )
    # -R takes another seed for `hash`, which would show if anything depended on it.
    output = subprocess.run(
        [sys.executable, "-R", "-c", program], capture_output=True, check=True, timeout=60
    ).stdout
    said = [[i.id, simulated.expected(i, "sim-nano")] for i in simulated.workload(50)]
    assert msgspec.json.decode(output) == said


def test_a_workload_repeats_only_when_more_is_asked_for_than_there_is(simulated):
    everything = simulated.workload(4800)
    assert len({item.id for item in everything}) == 4800
    more = simulated.workload(5000)
    assert len(more) == 5000
    assert len({item.id for item in more}) == 4800
    assert simulated.workload(10, seed=1) != simulated.workload(10, seed=2)


def test_the_workload_covers_its_kinds_and_domains(simulated):
    items = simulated.workload(4800)
    kinds = {item.kind for item in items}
    domains = {item.domain for item in items}
    assert kinds == {"math", "extraction", "classification", "code", "qa", "agent-step"}
    assert domains >= {"finance", "legal", "medical", "support", "code", "mathematics", "general"}
    assert kinds <= KINDS
    assert domains <= DOMAINS
    assert all(0 <= item.difficulty <= 1 for item in items)
    declared = [i for i in items if "response_format" in i.request]
    assert 0.3 < len(declared) / sum(i.kind == "extraction" for i in items) < 0.7


@pytest.mark.parametrize("kind", MAKERS)
def test_the_check_tells_right_from_every_wrong_answer(kind):
    for number in range(1, 200):
        task = make_task(kind, number, seed=7)
        assert task.check(task.right) == 1
        assert task.wrong
        for wrong in (*task.wrong, "", task.right[: len(task.right) // 2]):
            assert task.check(wrong) == 0, (task.request, wrong)


def test_nobody_can_tell_about_a_program_that_is_not_in_the_list():
    task = make_task("code", 1, seed=0)
    assert task.check("```python\ndef f(x):\n    return x\n```") is None


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.about[:30])
def test_right_programs_pass_their_cases_and_wrong_ones_do_not(exercise):
    for k in exercise.ks:
        passed = []
        for program in exercise.programs:
            namespace = {}
            exec(fill(program, "program", k), namespace)  # noqa: S102 - the programs are ours
            passed.append(
                all(_holds(fill(f"program({a}) == ({b})", "", k), namespace)
                    for a, b in exercise.cases)
            )  # fmt: skip
        assert passed == [True] + [False] * (len(passed) - 1), (exercise.about, k)


def _holds(source, namespace):
    try:
        return eval(source, namespace)  # noqa: S307 - the cases are ours
    except (IndexError, ValueError):
        return False


def test_larger_models_do_better_and_specialists_best_for_their_price(scores):
    sizes = ["sim-nano", "sim-small", "sim-medium", "sim-large"]
    ranked = [scores[model, "all"] for model in sizes]
    assert ranked == sorted(ranked)
    assert ranked[-1] - ranked[0] > 0.2
    assert scores["sim-code", "code"] > scores["sim-medium", "code"]
    assert scores["sim-code", "math"] < scores["sim-medium", "math"]
    for domain in ("finance", "legal"):
        assert scores["sim-ledger", domain] > scores["sim-medium", domain]
    assert scores["sim-ledger", "mathematics"] < scores["sim-medium", "mathematics"]


def test_the_quality_in_the_configuration_is_the_quality_shown(simulated, scores):
    for model in simulated.models.values():
        assert scores[model.id, "all"] == pytest.approx(model.quality, abs=0.025)


def test_harder_tasks_are_got_wrong_more_often(simulated):
    items = sorted(simulated.workload(4800), key=lambda item: item.difficulty)

    def mean(some):
        return sum(
            simulated.score(i, "sim-nano", simulated.expected(i, "sim-nano")) for i in some
        ) / len(some)

    assert mean(items[:800]) > mean(items[-800:]) + 0.3


def test_chances_rise_with_skill_and_fall_with_difficulty():
    source = Simulated(0)
    task = make_task("arithmetic", 4, seed=0)
    harder = msgspec.structs.replace(task, difficulty=task.difficulty + 0.1)
    small, large = source._abilities["sim-nano"], source._abilities["sim-large"]
    assert 0 < chance_of_right(small, harder) < chance_of_right(small, task)
    assert chance_of_right(small, task) < chance_of_right(large, task) < 1


def test_mistakes_are_of_many_sorts(simulated, source):
    empty = cut = unparsable = incomplete = 0
    for item in simulated.workload(4800):
        said = source.said(item, "sim-nano")
        empty += not said.text
        cut += said.finish_reason == "length"
        if item.kind == "extraction" and said.text and said.finish_reason == "stop":
            try:
                fields = msgspec.json.decode(said.text)
            except msgspec.DecodeError:
                unparsable += 1
                continue
            schema = item.request.get("response_format")
            if schema:
                incomplete += fields.keys() < schema["json_schema"]["schema"]["properties"].keys()
    assert min(empty, cut, unparsable, incomplete) > 10


def test_prices_span_two_orders_of_magnitude_and_costs_follow_them(simulated):
    outputs = [model.prices.output for model in simulated.models.values()]
    assert max(outputs) / min(outputs) == pytest.approx(250)
    item = simulated.workload(1)[0]
    assert simulated.cost(item, "sim-nano") < simulated.cost(item, "sim-large") / 50
    assert simulated.reference_cost(item) == simulated.cost(item, simulated.reference)


def test_the_configuration_can_be_built_and_every_model_has_two_homes(simulated):
    setup = build(from_mapping(simulated.config(base_port=9000)))
    assert set(setup.models) == set(simulated.models)
    assert all(len(group) == 2 for group in setup.deployments.values())
    assert setup.policies["auto"].reference == "sim-large"
    assert setup.models["sim-large"].capabilities >= {"vision", "tools"}
    assert setup.models["sim-code"].specialises == {"code"}
    ports = {d.base_url for d in setup.all_deployments()}
    assert ports == {f"http://127.0.0.1:{port}/v1" for port in range(9000, 9004)}


def test_an_unknown_model_is_a_clear_error(simulated):
    with pytest.raises(ValueError, match=r"gpt-9.*sim-nano"):
        simulated.cost(simulated.workload(1)[0], "gpt-9")
