"""Guardrails as a configuration describes them, and what it is told when it is wrong."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from gateway import config_for
from tierwise.config import build, from_mapping
from tierwise.errors import ConfigError
from tierwise.guardrails.build import rule_of
from tierwise.orchestrator import Orchestrator

URL = "http://127.0.0.1:9/v1"


def rule(**fields: Any) -> Any:
    config = from_mapping(config_for(URL, guardrails={"one": fields}), {})
    return rule_of("one", config.guardrails["one"])


@pytest.mark.parametrize(
    ("fields", "action", "sides"),
    [
        ({"kind": "pii"}, "mask", {"request", "answer"}),
        ({"kind": "patterns", "patterns": {"a": "b"}}, "refuse", {"request", "answer"}),
        ({"kind": "injection"}, "refuse", {"request"}),
        ({"kind": "ceilings", "max_chars": 5}, "refuse", {"request"}),
        ({"kind": "pii", "action": "note", "sides": ["output"]}, "note", {"answer"}),
    ],
)
def test_each_kind_does_what_is_usual_unless_told(
    fields: dict[str, Any], action: str, sides: set[str]
) -> None:
    made = rule(**fields)
    assert (made.action, set(made.sides)) == (action, sides)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": "pii", "find": ["emial"]}, "guardrails.one.find: 'emial' is unknown"),
        ({"kind": "patterns", "patterns": {"a": "("}}, "guardrails.one.patterns.a: '\\(' is no"),
        ({"kind": "patterns"}, "`patterns` has none"),
        ({"kind": "ceilings"}, "no ceiling is given"),
        ({"kind": "ceilings", "max_chars": 5, "action": "mask"}, "cannot be masked"),
        ({"kind": "injection", "max_chars": 5}, "`max_chars` is not a field of the kind"),
        ({"kind": "injection", "scorer": "no_such:it"}, "guardrails.one.scorer: 'no_such:it'"),
        ({"kind": "pattern"}, "guardrails.one.kind: 'pattern' is unknown"),
        ({"kind": "pii", "actoin": "mask"}, "Did you mean 'action'"),
        ({"kind": "pii", "engine": "presidio"}, "guardrails.one.engine: .* presidio-analyzer"),
    ],
)
def test_a_mistake_names_its_field(
    fields: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    with pytest.raises(ConfigError, match=words):
        rule(**fields)


def test_a_policy_names_only_what_is_written_down() -> None:
    data = config_for(URL, guardrails={"private": {"kind": "pii"}})
    data["policies"]["auto"]["guardrails"] = ["privat"]
    with pytest.raises(ConfigError, match=r"'privat' is not configured\. Use one of: private"):
        build(from_mapping(data, {}))


async def test_a_scorer_of_ones_own_takes_the_place_of_the_phrases(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mine = ModuleType("a_scorer")
    mine.score = lambda text: 0.9 if "magic" in text else 0.1  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "a_scorer", mine)
    made = rule(kind="injection", scorer="a_scorer:score", threshold=0.8)
    texts = [SimpleNamespace(text="say magic", role="user"), SimpleNamespace(text="x", role="user")]
    found = await made.guardrail.look(texts)
    assert [[s.label for s in one] for one in found] == [["prompt injection"], []]


class Analyzer:
    """What of Presidio's is used: https://microsoft.github.io/presidio/api/analyzer_python/"""

    def __init__(self, *, nlp_engine: Any, supported_languages: list[str]) -> None:
        model = {"lang_code": "de", "model_name": "a_model"}
        assert nlp_engine == {"nlp_engine_name": "spacy", "models": [model]}
        assert supported_languages == ["de"]

    def analyze(
        self, *, text: str, language: str, entities: list[str] | None, score_threshold: float
    ) -> list[Any]:
        assert (language, entities, score_threshold) == ("de", ["PERSON"], 0.4)
        return [SimpleNamespace(start=0, end=3, entity_type="PERSON")] if text else []


class Provider:
    """Makes what reads texts."""

    def __init__(self, *, nlp_configuration: Any) -> None:
        self._configuration = nlp_configuration

    def create_engine(self) -> Any:
        return self._configuration


@pytest.fixture
def presidio(monkeypatch: pytest.MonkeyPatch) -> None:
    """Presidio as if it were installed, with one model of spaCy's."""
    for name, attributes in (
        ("presidio_analyzer", {"AnalyzerEngine": Analyzer}),
        ("presidio_analyzer.nlp_engine", {"NlpEngineProvider": Provider}),
        ("spacy", {"util": SimpleNamespace(is_package=lambda name: name == "a_model")}),
    ):
        module = ModuleType(name)
        vars(module).update(attributes)
        monkeypatch.setitem(sys.modules, name, module)


PRESIDIO: dict[str, Any] = {"kind": "pii", "engine": "presidio", "language": "de"}


@pytest.mark.usefixtures("presidio")
async def test_presidio_is_asked_where_it_is_the_engine() -> None:
    made = rule(**PRESIDIO, model="a_model", find=["PERSON"], threshold=0.4)
    (found,) = await made.guardrail.look([SimpleNamespace(text="Ann lacht", role="user")])
    assert [(s.start, s.end, s.label) for s in found] == [(0, 3, "person")]


@pytest.mark.usefixtures("presidio")
def test_a_model_that_is_not_there_is_not_downloaded() -> None:
    with pytest.raises(ConfigError, match="no model 'de_core_news_lg' here") as raised:
        rule(**PRESIDIO)
    assert raised.value.field == "guardrails.one.model"


def test_a_reload_goes_on_counting_and_gives_no_answer_again_that_others_looked_at() -> None:
    data = config_for(URL, guardrails={"private": {"kind": "pii", "always": True}})
    first = Orchestrator.from_config(data)
    assert first.guarded is not None
    first.guarded.rules.counts["private", "masked"] = 3
    data["guardrails"]["private"]["find"] = ["email"]
    second = Orchestrator.from_config(data, after=first)
    assert second.guarded is not None
    assert second.guarded.rules.counts["private", "masked"] == 3
    assert second.guarded.rules.version != first.guarded.rules.version
