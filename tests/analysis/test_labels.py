"""The labelled prompts are sound, and the heads that ship are worth having."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from builders import a_task
from tierwise.analysis import analyse
from tierwise.analysis.encoder import Encoder
from tierwise.analysis.heads import Heads
from tierwise.analysis.question import folded
from tierwise.analysis.traits import traits_of
from tierwise.errors import ConfigError
from tierwise.learning.labels.examples import (
    Example,
    held_out_examples,
    own_examples,
    recorded_examples,
)
from tierwise.learning.labels.subjects import DOMAIN_OF_SUBJECT
from tierwise.types import DOMAINS, KINDS

SHARED = Path(os.environ.get("TIERWISE_SHARED") or Path(__file__).parents[3] / "shared")
OUTCOMES = SHARED / "outcomes"


def ours() -> list[Example]:
    return [example for example in own_examples() if example.source == "own"]


def test_every_prompt_has_a_kind_and_a_domain_that_exist() -> None:
    for example in (*own_examples(), *held_out_examples()):
        assert example.kind in KINDS
        assert example.domain in DOMAINS
        assert example.text.strip()


def test_every_kind_and_domain_has_prompts_to_learn_from() -> None:
    kinds = Counter(example.kind for example in ours())
    domains = Counter(example.domain for example in ours())
    assert set(kinds) == KINDS - {"vision", "agent-step"}
    assert set(domains) == DOMAINS
    assert min(kinds.values()) >= 30
    assert min(domains.values()) >= 20
    assert len({example.language for example in ours()}) >= 8


def test_no_prompt_stands_in_both_sets_or_twice() -> None:
    texts = [folded(example.text) for example in (*ours(), *held_out_examples())]
    assert len(texts) == len(set(texts))


def test_a_prompt_and_its_variants_with_passages_are_one_group() -> None:
    passages = [example for example in own_examples() if example.source == "passage"]
    groups = {example.group: example for example in ours()}
    assert passages
    for example in passages:
        assert groups[example.group].text in example.text
        assert len(example.text) > len(groups[example.group].text)


def test_the_table_of_subjects_has_all_57_of_mmlu() -> None:
    assert len(DOMAIN_OF_SUBJECT) == 57
    assert set(DOMAIN_OF_SUBJECT.values()) <= DOMAINS


def test_the_shipped_heads_beat_the_rules_on_prompts_they_never_saw() -> None:
    encoder, heads = Encoder.builtin(), Heads.builtin()
    examples = held_out_examples()
    kinds = domains = rule_kinds = rule_domains = 0
    for example in examples:
        reading = encoder.read(example.text)
        traits = traits_of(encoder, example.text, reading.mean, reading.structure)
        kinds += heads.kinds[int(heads.kind(traits).argmax())] == example.kind
        domains += heads.domains[int(heads.domain(traits).argmax())] == example.domain
        rules = analyse(a_task(example.text))
        rule_kinds += rules.kind == example.kind
        rule_domains += rules.domain == example.domain
    assert kinds > rule_kinds + 15
    assert domains > rule_domains
    assert kinds / len(examples) > 0.6
    assert domains / len(examples) > 0.7


def test_heads_fitted_and_saved_say_the_same_when_loaded(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    from tierwise.learning.labels.fit import arrays_of, features_of, fit_kinds, save

    features = features_of(ours(), Encoder.builtin())
    path = tmp_path / "heads.npz"
    save(arrays_of(features), path)
    with np.load(path, allow_pickle=False) as stored:
        heads = Heads({name: stored[name] for name in stored.files})
    fitted = fit_kinds(features, np.arange(len(features.examples)))
    logits = features.kinds @ heads._kind_weights + heads._kind_bias
    agreed = [heads.kinds[best] for best in logits.argmax(axis=1)]
    same = np.mean(
        [one == other for one, other in zip(agreed, fitted.predict(features.kinds), strict=True)]
    )
    assert same > 0.99
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not OUTCOMES.is_dir(), reason=f"no recorded outcomes at {OUTCOMES}")
def test_recorded_prompts_bring_the_domains_of_their_subjects() -> None:
    pytest.importorskip("pyarrow")
    examples = recorded_examples(OUTCOMES)
    mmlu = [example for example in examples if example.source == "mmlu"]
    assert len(mmlu) > 10_000
    assert all(example.kind is None for example in mmlu)
    assert {example.domain for example in mmlu} == set(DOMAIN_OF_SUBJECT.values())
    assert any(example.kind == "math" and example.source == "gsm8k" for example in examples)


def test_missing_recordings_are_a_clear_error(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    with pytest.raises(ConfigError, match=r"prompts\.parquet"):
        recorded_examples(tmp_path)
