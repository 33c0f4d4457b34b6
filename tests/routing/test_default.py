"""The router that ships: what is in the file, and what it makes of models it never saw."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec
import pytest

from tierwise.config import from_mapping
from tierwise.config.schema import SHIPPED_FILE
from tierwise.errors import ConfigError
from tierwise.orchestrator import Orchestrator
from tierwise.routing.artifact import Artifact
from tierwise.routing.exchange import Exchange
from tierwise.types import Decision
from tierwise.wire.openai_chat import read_request

SHA256 = "a0b661950fe2aaff84f071c57525c1f86c2b2d6d517655a959ba8b32ac0e7aef"
"""Of the file; changes with every training, and then docs/router-card.md must be looked at too."""
EASY = (
    "Translate to French: Good morning, how are you?",
    "Summarise in one sentence: The meeting was moved to Tuesday because the room is taken.",
    "Classify the sentiment of this review as positive or negative: The food was cold.",
    "hi there",
)
HARD = (
    "Prove that there are infinitely many primes congruent to 3 modulo 4.",
    "Design a lock-free concurrent skip list in C++ and prove its linearizability.",
    "Let $G$ be a finite group of order 2024. Determine the number of Sylow 11-subgroups that $G$ "
    "can have, and show that $G$ is solvable.",
)


@contextmanager
def gateway(models: Sequence[str], **router: str) -> Iterator[Orchestrator]:
    data = {
        "providers": {"p": {"base_url": "http://127.0.0.1:9/v1", "models": list(models)}},
        "ledger": {"path": ":memory:"},
    }
    yield Orchestrator.from_config({**data, "router": router} if router else data)


def decide(orchestrator: Orchestrator, prompt: str, policy: str = "auto") -> Decision:
    body = {"model": policy, "messages": [{"role": "user", "content": prompt}]}
    return orchestrator.decide(read_request(msgspec.json.encode(body)))


def first(orchestrator: Orchestrator, prompt: str, policy: str = "auto") -> str:
    return decide(orchestrator, prompt, policy).plan.tiers[0].model


def test_the_file_is_small_whole_and_the_one_that_was_described() -> None:
    raw = SHIPPED_FILE.read_bytes()
    assert len(raw) <= 3_000_000
    assert hashlib.sha256(raw).hexdigest() == SHA256
    meta = Artifact.load(SHIPPED_FILE).meta
    assert meta.sources == ["routellm", "paretobandit", "zeroeval", "llmrouter"]


def test_it_holds_numbers_and_names_but_no_prompt() -> None:
    artifact = Artifact.load(SHIPPED_FILE)
    assert all(array.dtype.kind in "fi" for array in artifact.arrays.values())
    words = [*artifact.meta.models, *artifact.meta.groups, *artifact.meta.sources]
    assert all(re.fullmatch(r"[\w.@/+-]{1,60}", word) for word in words)


def test_two_models_are_chosen_between_by_what_ships() -> None:
    with gateway(["gpt-4o", "gpt-4o-mini"]) as orchestrator:
        decision = decide(orchestrator, EASY[0])
    assert decision.router == "default"
    assert decision.rate is not None


def test_none_leaves_it_to_the_rules() -> None:
    with gateway(["gpt-4o", "gpt-4o-mini"], artifact="none") as orchestrator:
        decision = decide(orchestrator, EASY[0])
    assert (decision.router, decision.rate) == ("rules", None)


def test_a_file_that_is_not_there_is_named_with_its_field_and_what_to_do() -> None:
    with (
        pytest.raises(ConfigError, match=r"gone\.npz: router\.artifact: .*`default` or `none`"),
        gateway(["gpt-4o", "gpt-4o-mini"], artifact="gone.npz"),
    ):
        pass


def test_without_a_usable_default_rules_decide_and_the_log_says_so(monkeypatch, tmp_path, caplog):
    monkeypatch.setattr("tierwise.routing.artifact.SHIPPED_FILE", tmp_path / "lost.npz")
    with gateway(["gpt-4o", "gpt-4o-mini"]) as orchestrator:
        assert decide(orchestrator, EASY[0]).router == "rules"
    assert "lost.npz" in caplog.text


def test_empty_is_no_router() -> None:
    with pytest.raises(ConfigError, match=r"router\.artifact"):
        from_mapping({"providers": {"openai": {"models": ["gpt-4o"]}}, "router": {"artifact": ""}})


@pytest.mark.parametrize("prompt", EASY)
def test_easy_work_goes_to_the_small_of_two_models_it_never_saw(prompt: str) -> None:
    with gateway(["gpt-4o", "gpt-4o-mini"]) as orchestrator:
        assert first(orchestrator, prompt) == "gpt-4o-mini"


@pytest.mark.parametrize("prompt", HARD)
def test_hard_work_goes_to_the_large_of_two_models_it_never_saw(prompt: str) -> None:
    with gateway(["gpt-4o", "gpt-4o-mini"]) as orchestrator:
        assert first(orchestrator, prompt) == "gpt-4o"


@pytest.mark.parametrize("prompt", [*EASY, *HARD])
def test_economy_takes_the_small_and_best_the_large(prompt: str) -> None:
    with gateway(["gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano"]) as orchestrator:
        assert first(orchestrator, prompt, "economy") == "gpt-4.1-nano"
        assert first(orchestrator, prompt, "best") == "gpt-4.1"


def test_the_same_prompt_is_decided_alike_however_strange_those_before_were() -> None:
    with gateway(["gpt-4o", "gpt-4o-mini"]) as orchestrator:
        before = first(orchestrator, HARD[0])
        for number in range(70):
            decide(orchestrator, f"Zxq {number} blorf wibble {number}")
        assert first(orchestrator, HARD[0]) == before == "gpt-4o"


def test_usual_requests_find_their_terms_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    with gateway(["gpt-4o", "gpt-4o-mini", "gpt-4.1-nano"]) as o:
        o.decide(
            read_request(b'{"model": "auto", "messages": [{"role": "user", "content": "Hi"}]}')
        )

        def settle(*_: object) -> None:
            pytest.fail("a request had to wait until its terms were settled")

        monkeypatch.setattr(Exchange, "_solved", settle)
        for policy in o.setup.policies:
            assert decide(o, EASY[0], policy).router == "default"
