"""How sure was the model of its words?"""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import a_task
from tierwise.gates.token_confidence import TokenConfidenceGate, confidence
from tierwise.types import Completion, TokenLogprob, ToolCall

SHARED = Path(os.environ.get("TIERWISE_SHARED", Path(__file__).parents[3] / "shared"))


def sure(*tokens: tuple[str, float]) -> Completion:
    return Completion(
        text="".join(text for text, _ in tokens),
        logprobs=tuple(TokenLogprob(text, math.log(p)) for text, p in tokens),
    )


def p_of(answer: Completion) -> float:
    verdict = TokenConfidenceGate().judge(a_task(), answer)
    assert verdict is not None
    assert verdict.gate == "token_confidence"
    return verdict.p


def test_a_closed_answer_is_as_sure_as_all_of_its_tokens_together() -> None:
    assert p_of(sure(("B", 0.6))) == pytest.approx(0.6)
    assert p_of(sure(("New", 0.5), (" York", 0.8))) == pytest.approx(0.4)


def test_an_open_answer_is_as_sure_as_its_tokens_on_average() -> None:
    assert p_of(sure(*[("word ", 0.9), ("word ", 0.4)] * 10)) == pytest.approx(math.sqrt(0.36))


def test_marks_between_words_do_not_count_unless_there_is_nothing_else() -> None:
    assert p_of(sure(("B", 0.6), (".", 0.1), ("\n", 0.1))) == pytest.approx(0.6)
    assert p_of(sure(("=", 0.3))) == pytest.approx(0.3)


def test_mean_minimum_and_margin_are_told() -> None:
    found = confidence((TokenLogprob("a", -0.2, -1.7), TokenLogprob("b", -1.0, -0.5)))
    assert found is not None
    assert (found.tokens, found.minimum) == (2, -1.0)
    assert (found.mean, found.total) == (pytest.approx(-0.6), pytest.approx(-1.2))
    assert found.margin == pytest.approx(-0.5)
    assert confidence((TokenLogprob("a", -0.2),)) != found
    verdict = TokenConfidenceGate().judge(
        a_task(), Completion(text="a", logprobs=(TokenLogprob("a", -0.2, -1.7),))
    )
    assert verdict is not None
    assert "margin 1.50" in verdict.reason


@pytest.mark.parametrize(
    "answer",
    [
        Completion(text="Paris."),
        Completion(text="x", logprobs=(TokenLogprob("x", -math.inf),)),
        Completion(
            text="",
            logprobs=(TokenLogprob("x", -1.0),),
            tool_calls=(ToolCall(name="f", arguments="{}"),),
        ),
        Completion(text="", logprobs=(TokenLogprob("I", -1.0),), refusal="I cannot"),
    ],
)
def test_where_nothing_is_told_of_the_words_the_gate_has_nothing_to_say(
    answer: Completion,
) -> None:
    assert TokenConfidenceGate().judge(a_task(), answer) is None


TOKENS = st.builds(
    TokenLogprob, st.text(max_size=4), st.floats(), st.none() | st.floats(allow_nan=False)
)


@given(st.lists(TOKENS, max_size=20))
def test_whatever_is_told_the_verdict_is_a_probability(tokens: list[TokenLogprob]) -> None:
    answer = Completion(text="x", logprobs=tuple(tokens))
    verdict = TokenConfidenceGate().judge(a_task(), answer)
    assert verdict is None or 0.0 <= verdict.p <= 1.0


def test_a_model_is_right_more_often_where_it_was_sure() -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    file = SHARED / "outcomes" / "cascades" / "outcomes.parquet"
    if not file.is_file():
        pytest.skip(f"the recorded outcomes are not in {SHARED}")
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    table = parquet.read_table(
        file, columns=["model", "score", "logprob"], filters=[("model", "=", "gpt-4o-mini")]
    )
    rows = [row for row in table.to_pylist() if row["logprob"] is not None]
    p = [p_of(Completion(text="B", logprobs=(TokenLogprob("B", r["logprob"]),))) for r in rows]
    assert metrics.roc_auc_score([row["score"] > 0.5 for row in rows], p) > 0.75
