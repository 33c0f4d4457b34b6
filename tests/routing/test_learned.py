"""What serves needs numpy alone and says the same whether asked singly or together."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from tierwise.analysis.encoder import Encoder
from tierwise.learning.fit import Settings, fit
from tierwise.learning.trees import Trees
from tierwise.routing.artifact import Artifact
from tierwise.routing.learned import Learned, Prediction, straightened, with_contrast

TEXTS = [f"How many legs have {i} spiders and {i + 2} ants?" for i in range(40)] + [
    f"Name the river that flows through the {i}th largest town of Poland." for i in range(40)
]
SETTINGS = Settings(landmarks=30, trees=Trees(count=10), contrast_trees=Trees(count=10))


@pytest.fixture(scope="module")
def artifact() -> Artifact:
    encoder = Encoder.builtin()
    readings = [encoder.read(text) for text in TEXTS]
    right = np.array([[1, i < 40, (i % 4) > 0] for i in range(80)], float)
    costs = np.tile([0.01, 0.001, 0.002], (80, 1))
    groups = ["legs"] * 40 + ["rivers"] * 40
    return fit(readings, right, costs, groups, ["a", "b", "c"], settings=SETTINGS).artifact


def same(one: Prediction, other: Prediction) -> None:
    for name in ("quality", "disagreement"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-4)
    np.testing.assert_allclose(one.cost_usd, other.cost_usd, rtol=1e-4)
    assert one.ease == pytest.approx(other.ease, abs=1e-4)
    assert one.novelty == pytest.approx(other.novelty, abs=1e-4)


def test_many_together_are_predicted_as_each_alone(artifact):
    encoder, learned = Encoder.builtin(), Learned(artifact)
    readings = [encoder.read(text) for text in TEXTS[30:50]]
    for together, alone in zip(
        learned.predict_many(readings), map(learned.predict, readings), strict=True
    ):
        same(together, alone)


def test_a_saved_router_predicts_as_before(artifact, tmp_path):
    artifact.save(tmp_path / "r.npz")
    reading = Encoder.builtin().read(TEXTS[3])
    same(
        Learned(artifact).predict(reading),
        Learned(Artifact.load(tmp_path / "r.npz")).predict(reading),
    )


def test_predictions_are_probabilities_of_each_model(artifact):
    learned = Learned(artifact)
    assert learned.models == ("a", "b", "c")
    for text in ("", "x", "Was ist das?", "def f(x):\n    return x\n" * 300, "\x00\ud7ff" * 9):
        found = learned.predict(Encoder.builtin().read(text))
        assert found.quality.shape == (3,)
        assert np.all((found.quality >= 0) & (found.quality <= 1))
        assert np.all(np.isfinite(found.disagreement))
        assert np.all(found.cost_usd > 0)
        assert 0 <= found.novelty <= 1


def test_serving_needs_neither_scikit_learn_nor_scipy(artifact, tmp_path):
    artifact.save(tmp_path / "r.npz")
    code = f"""
        import sys
        from pathlib import Path
        from tierwise.analysis.encoder import Encoder
        from tierwise.routing.artifact import Artifact
        from tierwise.routing.learned import Learned
        learned = Learned(Artifact.load(Path({str(tmp_path / "r.npz")!r})))
        learned.predict(Encoder.builtin().read("How many legs have 3 spiders?"))
        heavy = ("sklearn", "scipy", "pyarrow", "matplotlib", "torch", "wordllama")
        sys.exit(", ".join(name for name in heavy if name in sys.modules) or 0)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_contrast_sets_the_difference_and_keeps_the_mean():
    quality = np.array([[0.6, 0.7], [0.5, 0.5]], np.float32)
    # As (1 + gain) / 2: the second is better by 0.3, then worse by 0.2.
    found = with_contrast(quality, np.array([0.65, 0.4], np.float32))
    np.testing.assert_allclose(found, [[0.5, 0.8], [0.6, 0.4]], atol=1e-6)


def test_a_contrast_stays_the_difference_at_the_edge_of_what_is_possible():
    found = with_contrast(np.array([[0.95, 0.97]], np.float32), np.array([0.6], np.float32))
    np.testing.assert_allclose(found, [[0.8, 1.0]], atol=1e-6)


def test_a_line_of_slope_one_through_zero_changes_nothing():
    quality = np.array([[0.2, 0.9]], np.float32)
    line = np.array([[0, 0], [1, 1]], np.float32)
    np.testing.assert_array_equal(straightened(quality, line), quality)
