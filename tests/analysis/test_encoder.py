"""A prompt becomes numbers: the same for the same meaning, whatever its case and spacing."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from tierwise.analysis.encoder import Encoder
from tierwise.analysis.question import folded
from tierwise.analysis.reading import BUCKETS, DIMENSIONS, STRUCTURE, Reading
from tierwise.analysis.table import REBIAS, Table
from tierwise.errors import ConfigError

EXAM = "Which gas do plants take up?\nA. Oxygen\nB. Carbon dioxide\nC. Helium\nAnswer:"
TEXTS = (EXAM, "x = [1,\n 2]\n\nnext", "naïve 日本語 text 🙂", "Supercalifragilistic " * 3)
TOOLS = b"""[{"type": "function", "function": {"name": "f", "parameters": {"type": "object",
"properties": {"a": {"type": "string", "enum": ["x"]}}}}}]"""


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.builtin()


def same(one: Reading, other: Reading) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("structure", "mean", "stem", "options", "buckets", "counts", "tokens")
    )


def of(reading: Reading, name: str) -> float:
    return float(reading.structure[STRUCTURE.index(name)])


def test_a_reading_has_the_promised_shapes(encoder: Encoder) -> None:
    reading = encoder.read(EXAM)
    assert reading.structure.shape == (len(STRUCTURE),)
    assert reading.mean.shape == reading.stem.shape == reading.options.shape == (DIMENSIONS,)
    assert {reading.structure.dtype, reading.mean.dtype, reading.counts.dtype} == {
        np.dtype(np.float32)
    }
    assert reading.buckets.dtype == np.int64
    assert np.all(np.diff(reading.buckets) > 0)
    assert reading.buckets.max() < BUCKETS
    assert reading.counts.shape == reading.buckets.shape
    assert len(set(STRUCTURE)) == len(STRUCTURE)


def test_every_uni_and_bigram_of_the_question_is_counted(encoder: Encoder) -> None:
    reading = encoder.read("one two three one two")
    assert reading.counts.sum() == 2 * reading.tokens - 1
    assert reading.counts.max() >= 2


def test_case_and_spacing_change_nothing(encoder: Encoder) -> None:
    assert same(encoder.read("Why is  the SKY blue?"), encoder.read("why is the sky blue?"))


def test_another_question_reads_differently(encoder: Encoder) -> None:
    assert not same(encoder.read("Why is the sky blue?"), encoder.read("Who was Caesar?"))


def test_texts_about_the_same_lie_closer_together(encoder: Encoder) -> None:
    def cosine(one: str, other: str) -> float:
        a, b = encoder.embed(one), encoder.embed(other)
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    near = cosine("the patient takes insulin for diabetes", "a doctor treats blood sugar")
    far = cosine("the patient takes insulin for diabetes", "a goal in extra time won the match")
    assert near > far


def test_words_seen_before_have_the_same_tokens_as_new_ones(encoder: Encoder) -> None:
    tokenizer = encoder._words._known._tokenizer
    for text in (*TEXTS, "what does </s> mean", "a<s>b <unk>\n<s>"):
        text = folded(text)
        whole = tokenizer.encode(" " + text, add_special_tokens=False).ids
        assert encoder._words.ids(text).tolist() == whole
        assert encoder._words.ids(text).tolist() == whole


def test_the_table_s_quick_conversion_is_exact() -> None:
    encoder = Encoder.builtin()
    ids = np.arange(0, encoder._table.size, 7)
    halves = encoder._table._halves[ids].view(np.float16)
    assert np.array_equal(encoder._table.rows(ids) * REBIAS, halves.astype(np.float32))


def test_options_have_a_vector_and_a_geometry_of_their_own(encoder: Encoder) -> None:
    with_options, without = encoder.read(EXAM), encoder.read(EXAM.splitlines()[0])
    assert of(with_options, "options") == 3
    assert of(with_options, "option-option mean") > 0
    assert with_options.options.any()
    assert not without.options.any()
    assert of(without, "option-option mean") == 0


def test_tools_are_read_from_their_json_and_not_from_the_text(encoder: Encoder) -> None:
    plain, armed = encoder.read("Book it, please."), encoder.read("Book it, please.", tools=TOOLS)
    assert of(plain, "tools given") == 0
    assert of(armed, "tools given") == 1
    assert of(armed, "enums") == pytest.approx(np.log1p(1))
    assert np.array_equal(plain.mean, armed.mean)


@pytest.mark.parametrize("text", ["", " ", "\n", "\ud83d", "🙂" * 50, "\x00", "a", "(a) (b)"])
def test_odd_texts_are_read_all_the_same(encoder: Encoder, text: str) -> None:
    reading = encoder.read(text)
    for array in (reading.structure, reading.mean, reading.stem, reading.options, reading.counts):
        assert np.isfinite(array).all()


def test_of_a_very_long_text_both_ends_are_read(encoder: Encoder) -> None:
    long = "lorem ipsum " * 20_000
    reading = encoder.read("Translate this. " + long)
    assert reading.tokens < 10_000
    assert not np.array_equal(reading.mean, encoder.read(long).mean)


def test_threads_read_the_same_as_one_alone() -> None:
    encoder = Encoder.builtin()
    texts = [f"{EXAM} variant {number} {'word' * (number % 5)}" for number in range(60)]
    alone = [encoder.read(text) for text in texts]
    encoder._words._known.clear()
    found: dict[int, list[Reading]] = {}

    def read(thread: int) -> None:
        found[thread] = [encoder.read(text) for text in texts]

    threads = [threading.Thread(target=read, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(
        same(one, other)
        for readings in found.values()
        for one, other in zip(readings, alone, strict=True)
    )


def test_the_memory_for_words_is_bounded(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tierwise.analysis.words._MOST_WORDS", 50)
    for number in range(40):
        encoder.read(" ".join(f"w{number}x{other}" for other in range(20)))
        assert len(encoder._words._known) <= 70
    encoder.read("y" * 5000)
    assert max(map(len, encoder._words._known)) <= 32


@pytest.mark.parametrize("content", [b"", b"\x08\0\0\0\0\0\0\0{}", b"\xff" * 64])
def test_a_broken_table_is_a_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "table.safetensors"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="cannot be read"):
        Table(path)


def test_missing_data_files_are_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from tierwise.analysis import encoder as module

    monkeypatch.setattr(module.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="pip install"):
        module._data_folder()


def test_neither_analysis_nor_its_encoder_loads_what_only_training_needs() -> None:
    script = (
        "import sys; import tierwise.analysis; assert 'numpy' not in sys.modules\n"
        "from tierwise.analysis.analyst import Analyst; Analyst.builtin()\n"
        "for name in ('sklearn', 'scipy', 'torch', 'wordllama', 'pyarrow', 'matplotlib'):\n"
        "    assert name not in sys.modules, name"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
