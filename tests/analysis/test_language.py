"""The language of a text is told by its script or its small words."""

from __future__ import annotations

import pytest

from tierwise.analysis.language import language_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What is the capital of France and how large is it?", "en"),
        ("Wie heißt die Hauptstadt von Frankreich?", "de"),
        ("Quelle est la capitale de l'Italie ?", "fr"),
        ("¿Cuál es la capital de Portugal?", "es"),
        ("Qual è la capitale della Spagna?", "it"),
        ("Qual é a capital da Alemanha?", "pt"),
        ("Wat is de hoofdstad van België en hoe groot is het?", "nl"),
        ("北京有多少人口？", "zh"),
        ("東京の人口はどのくらいですか。", "ja"),
        ("서울의 인구는 얼마입니까?", "ko"),
        ("Какой город столица Франции?", "ru"),
        ("ما هي عاصمة فرنسا؟", "ar"),
        ("12 + 30 = ?", ""),
        ("", ""),
    ],
)
def test_the_language_of_a_sentence_is_told(text: str, language: str) -> None:
    assert language_of(text) == language


def test_a_quoted_foreign_word_does_not_make_a_sentence_foreign() -> None:
    assert language_of('What does the word "你好吗" mean, and how do you say it in French?') == "en"
