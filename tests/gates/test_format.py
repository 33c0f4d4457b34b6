"""Does the answer have the form that the task asks for?"""

from __future__ import annotations

import pytest

from builders import a_body, a_task
from tierwise.gates.asked import choices_asked, declared, language_asked, length_asked
from tierwise.gates.format import FormatGate
from tierwise.types import Completion, Verdict

GERMAN = "Die Donau ist ein Fluss, der durch zehn Länder fließt und in das Schwarze Meer mündet."
ENGLISH = "The Danube is a river that flows through ten countries and ends in the Black Sea."


def judged(prompt: str, text: str, **fields: object) -> Verdict | None:
    return FormatGate().judge(a_task(prompt, **fields), Completion(text=text))


def p_of(prompt: str, text: str, **fields: object) -> float | None:
    verdict = judged(prompt, text, **fields)
    return None if verdict is None else verdict.p


@pytest.mark.parametrize(
    ("prompt", "labels"),
    [
        ('Print only a single choice from "A" or "B" or "C" without explanation.', ("a", "b", "c")),
        ('Output "A", "B", "C", or "D". Don\'t say anything else.', ("a", "b", "c", "d")),
        ("Answer by outputting A, B, C, or D. Don't say anything else.", ("a", "b", "c", "d")),
        (
            "Classify the mail. Labels: spam, ham, phishing. Only the label.",
            ("spam", "ham", "phishing"),
        ),
        ("Which is it? One of the following: urgent, can wait", ("urgent", "can wait")),
        ("Is it true? Answer only yes or no.", ("yes", "no")),
        ("Stimmt das? Antworte nur ja oder nein.", ("ja", "nein")),
        ("Shall I take tea or coffee?", ()),
        ("Only mushrooms have either spots or gills.", ()),
        ("Say yes or no and explain at length.", ()),
    ],
)
def test_the_labels_a_task_wants_are_read_from_it(prompt: str, labels: tuple[str, ...]) -> None:
    assert choices_asked(prompt.lower()) == labels


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("spam", 1.0, 1.0),
        ("Spam.", 1.0, 1.0),
        ("**ham**", 1.0, 1.0),
        ("The label is: ham", 1.0, 1.0),
        ("ham, since it has no link", 1.0, 1.0),
        ("I would say that it looks a lot like spam to me", 0.5, 0.9),
        ("An advertisement", 0.0, 0.1),
        ("Either spam or ham", 0.0, 0.1),
    ],
)
def test_an_answer_is_held_to_the_labels(text: str, least: float, most: float) -> None:
    p = p_of('Answer only "spam" or "ham": You have won!', text)
    assert p is not None
    assert least <= p <= most


@pytest.mark.parametrize(
    "fields",
    [{"guided_choice": ["yes", "no"]}, {"structured_outputs": {"choice": ["yes", "no"]}}],
)
def test_declared_choices_are_meant_literally(fields: dict[str, object]) -> None:
    assert p_of("Is it?", "yes", **fields) == 1.0
    assert p_of("Is it?", "Yes", **fields) == 0.02


@pytest.mark.parametrize(
    "fields",
    [{"guided_regex": r"\d{4}-\d\d"}, {"structured_outputs": {"regex": r"\d{4}-\d\d"}}],
)
def test_a_declared_pattern_must_match_the_whole_answer(fields: dict[str, object]) -> None:
    assert p_of("When?", "1914-08", **fields) == 1.0
    assert p_of("When?", "In 1914-08", **fields) == 0.02
    assert p_of("When?", "1914-08\nor so", **fields) == 0.02


@pytest.mark.parametrize("regex", ["(?=a)b", "(", r"(a)\1", "a{1000000}"])
def test_a_pattern_that_cannot_be_used_is_nobody_s_fault(regex: str) -> None:
    assert p_of("When?", "In 1914", guided_regex=regex) is None


def test_a_pattern_made_to_be_slow_is_not() -> None:
    assert p_of("When?", "a" * 100_000 + "!", guided_regex="(a+)+$") == 0.02


def test_fields_of_another_shape_declare_nothing() -> None:
    assert declared(a_body(guided_choice="yes")).choices is None
    assert declared(b"guided_ is no JSON").regex is None


@pytest.mark.parametrize(
    ("prompt", "unit", "least", "most"),
    [
        ("Answer in three sentences.", "sentences", 3, 3),
        ("Summarise it in at most 50 words.", "words", 0, 50),
        ("Give exactly 5 bullet points.", "bullets", 5, 5),
        ("Write fewer than 20 words.", "words", 0, 19),
        ("Describe it in about 100 words.", "words", 75, 125),
        ("Explain it. At least two paragraphs.", "paragraphs", 2, 10**9),
        ("Fasse es in drei Sätzen zusammen, antworte in drei Sätzen.", "sentences", 3, 3),
        ("Antworte mit höchstens 50 Wörtern.", "words", 0, 50),
        ("Résume le texte en deux phrases.", "sentences", 2, 2),
        ("Responde en máximo 30 palabras.", "words", 0, 30),
    ],
)
def test_the_length_a_task_wants_is_read_from_it(
    prompt: str, unit: str, least: int, most: int
) -> None:
    found = length_asked(prompt.lower())
    assert found is not None
    assert (found.unit, found.least, found.most) == (unit, least, most)


@pytest.mark.parametrize(
    "prompt",
    [
        "Tom reads 3 paragraphs a day. How many does he read in four weeks?",
        "He spoke in two sentences of his childhood. Who was he?",
        "Write a function that finds words at least 4 characters long.",
        "What is the capital of France?",
    ],
)
def test_a_number_in_the_matter_is_no_wish(prompt: str) -> None:
    assert length_asked(prompt.lower()) is None


@pytest.mark.parametrize(
    ("prompt", "text", "p"),
    [
        ("Answer in two sentences.", "It is a river. It is long.", 1.0),
        ("Answer in two sentences.", "It has 2.5 arms, e.g. the Sulina. It is long.", 1.0),
        ("Answer in one sentence.", "One. Two. Three.", 0.15),
        ("Give exactly 3 bullet points.", "- a\n- b\n- c", 1.0),
        ("Give exactly 3 bullet points.", "1. a\n2. b", 0.4),
        ("Answer in at most 10 words.", "one two three four five six seven eight nine ten x", 0.7),
        ("Answer in at most 10 words.", "word " * 30, 0.15),
        ("Write two paragraphs. At least two paragraphs.", "One.\n\nTwo.", 1.0),
    ],
)
def test_the_further_from_the_wished_length_the_worse(prompt: str, text: str, p: float) -> None:
    assert p_of(prompt, text) == p


@pytest.mark.parametrize(
    ("prompt", "code"),
    [
        ("Answer in German.", "de"),
        ("Translate this to French: hello", "fr"),
        ("Explain photosynthesis in Spanish, please", "es"),
        ("Antworte bitte auf Deutsch.", "de"),
        ("Réponds en anglais.", "en"),
        ("Responde en español.", "es"),
        ("Write about the Germans in German films of the thirties", ""),
        ("What was said in German?", ""),
    ],
)
def test_the_language_a_task_wants_is_read_from_it(prompt: str, code: str) -> None:
    assert language_asked(prompt.lower())[0] == code


def test_an_answer_in_another_language_than_asked_is_told() -> None:
    verdict = judged("What is the Danube? Answer in German.", ENGLISH)
    assert verdict is not None
    assert verdict.p < 0.5
    assert "asked for german, answered in 'en'" in verdict.reason
    assert p_of("What is the Danube? Answer in German.", GERMAN) == 1.0


def test_without_a_wish_the_language_of_the_question_is_expected() -> None:
    question = "Was ist die Donau, durch welche Länder fließt sie, und in welches Meer mündet sie?"
    assert p_of(question, GERMAN) == 1.0
    found = p_of(question, ENGLISH)
    assert found is not None
    assert found < 0.5


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("What is the Danube?", "Ein Fluss."),
        ("How do you translate the sentence that my aunt said when she came in?", GERMAN),
        (
            "What is the Danube, and how does it flow to the sea that it ends in?",
            f"```\n{GERMAN}\n```",
        ),
        ("What is the capital of France?", "Paris."),
        ("Answer in three sentences.", " "),
    ],
)
def test_where_no_form_is_due_the_gate_has_nothing_to_say(prompt: str, text: str) -> None:
    assert judged(prompt, text) is None
