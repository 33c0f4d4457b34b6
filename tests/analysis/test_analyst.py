"""What is asked, told by the encoder and the learned heads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from builders import a_task
from tierwise.analysis.analyst import Analyst
from tierwise.analysis.conversation import declared_tools
from tierwise.analysis.heads import FILE, Heads
from tierwise.errors import ConfigError
from tierwise.types import DOMAINS, KINDS, Profile

IMAGE = [
    {"type": "text", "text": "What is in this picture?"},
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
]
TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}


@pytest.fixture(scope="module")
def analyst() -> Analyst:
    return Analyst.builtin()


def profile(analyst: Analyst, prompt: str, **fields: Any) -> Profile:
    return analyst.analyse(a_task(prompt, **fields)).profile


def of_turns(analyst: Analyst, *turns: tuple[str, Any]) -> Profile:
    messages = [{"role": role, "content": content} for role, content in turns]
    return analyst.analyse(a_task(messages=messages)).profile


@pytest.mark.parametrize(
    ("prompt", "kinds", "domains"),
    [
        (
            "Review this financial statement for compliance violations",
            {"reasoning", "classification", "extraction"},
            {"finance", "legal"},
        ),
        ("Write a campaign pitch for our new running shoe.", {"creative"}, {"creative"}),
        ("Create a campaign pitch for a new energy drink", {"creative"}, {"creative"}),
        ("Refactor the following class and fix its async method.", {"code"}, {"code"}),
        ("Please help with refactoring this module.", {"code"}, {"code"}),
        ("Translate to French: good morning", {"translation"}, {"translation"}),
        ("Summarise the following article in two sentences.", {"summarisation"}, None),
        ("Classify the sentiment of this review.", {"classification"}, None),
        ("Extract all names and dates from the text below.", {"extraction"}, None),
        ("Solve the equation 3x + 5 = 20.", {"math"}, {"mathematics"}),
        ("Prove that the square root of two is irrational.", {"reasoning"}, {"mathematics"}),
        ("Who painted the Mona Lisa?", {"qa"}, {"general"}),
        ("Hello there", {"chat"}, {"general"}),
        ("Which dosage of ibuprofen is safe for patients?", {"qa"}, {"medical"}),
        ("My order has not arrived, I want a refund.", None, {"support"}),
        ("Übersetze ins Englische: Guten Morgen", {"translation"}, {"translation"}),
        ("请把这句话翻译成英文：我很高兴。", {"translation"}, {"translation"}),
    ],
)
def test_kind_and_domain_come_out_right(
    analyst: Analyst, prompt: str, kinds: set[str] | None, domains: set[str] | None
) -> None:
    found = profile(analyst, prompt)
    assert kinds is None or found.kind in kinds
    assert domains is None or found.domain in domains


def test_a_picture_makes_it_vision(analyst: Analyst) -> None:
    found = of_turns(analyst, ("user", IMAGE))
    assert found.kind == "vision"
    assert "vision" in found.requires


def test_tools_make_it_an_agent_s_step_and_are_read(analyst: Analyst) -> None:
    task = a_task("What is the weather?", tools=[TOOL])
    analysed = analyst.analyse(task)
    assert analysed.profile.kind == "agent-step"
    assert declared_tools(task) is not None
    bare = analyst.analyse(a_task("What is the weather?")).reading
    assert not np.array_equal(analysed.reading.structure, bare.structure)


def test_a_question_that_says_little_takes_its_domain_from_what_surrounds_it(
    analyst: Analyst,
) -> None:
    system = ("system", "You advise hospital doctors on patients, diagnosis and medication.")
    earlier = ("user", "The patient has a fever and takes antibiotics for an infection.")
    answer = ("assistant", "Then the dosage of the medication matters.")
    question = ("user", "And after that?")
    assert of_turns(analyst, question).domain == "general"
    assert of_turns(analyst, system, question).domain == "medical"
    assert of_turns(analyst, earlier, answer, question).domain == "medical"


def test_a_clear_question_keeps_its_domain_against_its_surroundings(analyst: Analyst) -> None:
    found = of_turns(
        analyst,
        ("system", "You are a helpful assistant."),
        ("user", "Is the indemnity clause in this lease contract enforceable in court?"),
    )
    assert found.domain == "legal"


def test_the_last_turn_says_what_to_do(analyst: Analyst) -> None:
    turns = (("user", "Write a poem."), ("assistant", "Roses."), ("user", "Who wrote Faust?"))
    assert of_turns(analyst, *turns).kind == "qa"


@pytest.mark.parametrize(
    ("prompt", "low", "high"),
    [
        ("Is this spam? Answer yes or no.", 1, 15),
        ("Describe the sea in 300 words.", 300, 600),
        ("Summarise the following article in two sentences.", 20, 80),
        ("Tell me a story about a fox.", 200, 1500),
    ],
)
def test_the_expected_length_follows_what_is_asked_for(
    analyst: Analyst, prompt: str, low: int, high: int
) -> None:
    assert low <= profile(analyst, prompt).output_tokens <= high
    assert profile(analyst, prompt, max_tokens=5).output_tokens <= 5


def test_every_choice_is_counted(analyst: Analyst) -> None:
    one, three = profile(analyst, "Write a poem."), profile(analyst, "Write a poem.", n=3)
    assert three.output_tokens == 3 * one.output_tokens


def test_a_longer_text_makes_a_longer_translation(analyst: Analyst) -> None:
    short = profile(analyst, "Translate to German: the cat sleeps.")
    long = profile(analyst, "Translate to German: " + "the cat sleeps on the old mat. " * 60)
    assert long.output_tokens > 3 * short.output_tokens


@pytest.mark.parametrize("text", ["", " ", "🙂" * 50, "\x00", "'\"`[]{}", "?" * 9000])
def test_odd_texts_are_analysed_all_the_same(analyst: Analyst, text: str) -> None:
    found = profile(analyst, text)
    assert found.kind in KINDS
    assert found.domain in DOMAINS
    assert 0 <= found.difficulty <= 1


def test_case_does_not_change_what_is_found(analyst: Analyst) -> None:
    for prompt in ("Write a haiku about autumn.", "How did quarterly revenue change?"):
        assert profile(analyst, prompt) == profile(analyst, prompt.upper())


def test_the_shipped_heads_know_every_domain_and_every_kind_that_words_can_tell() -> None:
    heads = Heads.builtin()
    assert set(heads.domains) == DOMAINS
    assert set(heads.kinds) == KINDS - {"vision", "agent-step"}


def test_heads_of_another_version_are_a_clear_error(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tierwise.analysis import heads as module

    with np.load(FILE, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    for number, broken in enumerate(({**arrays, "version": np.array(99)}, {})):
        path = tmp_path / f"{number}.npz"
        np.savez(path, **broken)
        monkeypatch.setattr(module, "FILE", path)
        with pytest.raises(ConfigError, match=r"learning\.labels"):
            module._builtin.__wrapped__()
    path.write_bytes(FILE.read_bytes()[:1000])
    with pytest.raises(ConfigError, match="cannot be read"):
        module._builtin.__wrapped__()


def test_domains_that_a_task_touches_beside_its_own_are_told(analyst: Analyst) -> None:
    task = a_task("Review this financial statement for compliance violations.")
    found = analyst.analyse(task).profile
    assert (found.domain, found.also) == ("finance", {"legal"})
    assert analyst.analyse(a_task("What is the capital of France?")).profile.also == frozenset()
