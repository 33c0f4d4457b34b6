"""Domain, kind and language of prompts in fifteen languages other than English.

The prompts of the first set were written before the stems, and were in sight while those were
chosen; the second set was written afterwards, and is what to expect of prompts never seen.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from builders import a_task
from tierwise.analysis import analyse
from tierwise.analysis.analyst import Analyst
from tierwise.analysis.language import language_of
from tierwise.analysis.lexicon import stems_for, votes_of
from tierwise.analysis.question import folded
from tierwise.analysis.stems import LATIN
from tierwise.learning.labels.examples import held_out_examples, own_examples
from tierwise.types import Profile


class Prompt(msgspec.Struct, frozen=True):
    set: str
    language: str
    text: str
    domain: str = ""
    kind: str = ""


PROMPTS = [
    msgspec.json.decode(line, type=Prompt)
    for line in Path(__file__).with_name("other_languages.jsonl").read_bytes().splitlines()
]
REVIEWS = {
    "de": "Prüfe diesen Jahresabschluss auf Compliance-Verstöße.",
    "fr": "Vérifie que ces états financiers ne présentent aucune infraction aux règles de "
    "conformité.",
    "es": "Revisa este estado financiero en busca de incumplimientos normativos.",
    "it": "Controlla questo bilancio per individuare violazioni della normativa.",
    "pt": "Revise esta demonstração financeira em busca de violações de conformidade.",
    "nl": "Controleer deze jaarrekening op overtredingen van de complianceregels.",
    "pl": "Sprawdź to sprawozdanie finansowe pod kątem naruszeń przepisów.",
    "ru": "Проверь эту финансовую отчётность на нарушения законодательства.",
    "zh": "请审查这份财务报表是否存在合规问题。",
    "ja": "この財務諸表にコンプライアンス違反がないか確認してください。",
    "ko": "이 재무제표에 규정 위반이 있는지 검토해 주세요.",
    "ar": "راجع هذه القوائم المالية بحثا عن مخالفات قانونية.",
    "tr": "Bu mali tabloyu mevzuata aykırılıklar açısından incele.",
    "sv": "Granska den här årsredovisningen efter brott mot regelverket.",
    "uk": "Перевір цю фінансову звітність на порушення законодавства.",
}


@pytest.fixture(scope="module")
def profile_of() -> Callable[[str], Profile]:
    analyst = Analyst.builtin()
    return lambda text: analyst.analyse(a_task(text)).profile


@pytest.mark.parametrize(
    ("name", "domains", "kinds", "languages"),
    [("first", 0.95, 0.97, 0.95), ("second", 0.68, 0.66, 0.94)],
)
def test_most_prompts_in_other_languages_are_told_right(
    profile_of: Callable[[str], Profile], name: str, domains: float, kinds: float, languages: float
) -> None:
    of_set = [prompt for prompt in PROMPTS if prompt.set == name]
    found = [(prompt, profile_of(prompt.text)) for prompt in of_set]
    domain = [profile.domain == prompt.domain for prompt, profile in found if prompt.domain]
    kind = [profile.kind == prompt.kind for prompt, profile in found if prompt.kind]
    language = [profile.language == prompt.language for prompt, profile in found]
    assert sum(domain) / len(domain) >= domains
    assert sum(kind) / len(kind) >= kinds
    assert sum(language) / len(language) >= languages


@pytest.mark.parametrize("language", REVIEWS)
def test_a_review_of_accounts_for_compliance_touches_finance_and_law(
    profile_of: Callable[[str], Profile], language: str
) -> None:
    profile = profile_of(REVIEWS[language])
    assert {profile.domain, *profile.also} == {"finance", "legal"}
    assert profile.language == language


@pytest.mark.parametrize("language", REVIEWS)
def test_rules_alone_find_finance_and_law_in_a_review_of_accounts(language: str) -> None:
    profile = analyse(a_task(REVIEWS[language]))
    assert {profile.domain, *profile.also} == {"finance", "legal"}


def test_rules_alone_tell_most_domains_and_none_where_no_word_does() -> None:
    told = [
        (prompt.domain, analyse(a_task(prompt.text)).domain)
        for prompt in PROMPTS
        if prompt.set == "second" and prompt.domain
    ]
    assert sum(domain == found for domain, found in told) / len(told) >= 0.78
    assert {found for domain, found in told if domain == "general"} == {"general"}


def test_no_stem_of_the_latin_script_stands_in_english_prompts() -> None:
    english = [
        folded(example.text)
        for example in (*own_examples(), *held_out_examples())
        if example.language == "en"
    ]
    assert len(english) > 300
    assert [text for text in english if list(LATIN.groups(text))] == []


def test_an_english_text_is_not_searched_for_words_of_other_languages() -> None:
    assert stems_for("what does the word jahresabschluss mean") == ()
    assert stems_for("was bedeutet jahresabschluss") == (LATIN,)


def test_a_foreign_word_counts_whatever_stands_beside_it() -> None:
    for text in ("l’hypothèque et l'emprunt", "«emprunt»", "emprunt?", "l'emprunt:\n"):
        assert votes_of(text, (LATIN,))[1]["finance"] > 0


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Стисло перекажи цю статтю.", "uk"),
        ("Şu denklemi çöz: 4x - 7 = 21", "tr"),
        ("Rozwiąż równanie kwadratowe", "pl"),
        ("A jalapeño is what kind of pepper?", "en"),
        ("Is the São Paulo metro the largest in Brazil?", "en"),
    ],
)
def test_letters_tell_a_language_but_a_borrowed_name_does_not(text: str, language: str) -> None:
    assert language_of(text) == language
