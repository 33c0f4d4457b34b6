"""Personal data as Microsoft's Presidio finds it, names and places among it (the extra `pii`).

It needs a model of spaCy for its language, which is installed beside it and never downloaded here:
https://microsoft.github.io/presidio/analyzer/
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tierwise.errors import ConfigError
from tierwise.guardrails.base import Span

LIMIT_S = 10.0
"""The time that it has for all texts of a request or an answer, in seconds."""


class Presidio:
    """Looks at one text at a time, with an analyser that is made when the gateway starts.

    Args:
        language: ISO 639-1 code.
        model: of spaCy, by the name of its package or its folder; None for the large one.
        entities: as Presidio names them, such as PERSON; empty: all that it knows.
        threshold: the score from which on something is found.

    Raises:
        ConfigError: it is not installed, or its model is not.
    """

    def __init__(
        self, language: str, model: str | None, entities: Sequence[str], threshold: float
    ) -> None:
        self._language = language
        self._entities = list(entities) or None
        self._threshold = threshold
        self._one_at_a_time = threading.Lock()
        name = model or f"{language}_core_{'web' if language == 'en' else 'news'}_lg"
        try:
            presidio: Any = importlib.import_module("presidio_analyzer")
            engines: Any = importlib.import_module("presidio_analyzer.nlp_engine")
            spacy: Any = importlib.import_module("spacy")
        except ImportError as error:
            raise ConfigError(
                f"`engine: presidio` needs the package presidio-analyzer ({error})",
                field="engine",
                remedy="Install it with `pip install 'tierwise[pii]'`, and a model of spaCy.",
            ) from None
        if not (spacy.util.is_package(name) or Path(name).exists()):
            raise ConfigError(
                f"spaCy has no model {name!r} here",
                field="model",
                remedy=f"Install it with `python -m spacy download {name}`, or name another.",
            )
        models = [{"lang_code": language, "model_name": name}]
        wanted = {"nlp_engine_name": "spacy", "models": models}
        try:
            reader = engines.NlpEngineProvider(nlp_configuration=wanted).create_engine()
            self._analyser: Any = presidio.AnalyzerEngine(
                nlp_engine=reader, supported_languages=[language]
            )
        except (Exception, SystemExit) as error:
            raise ConfigError(
                f"presidio cannot be started: {type(error).__name__}: {error}", field="engine"
            ) from error

    def look(self, text: str) -> list[Span]:
        """What is in one text."""
        with self._one_at_a_time:
            results = self._analyser.analyze(
                text=text,
                language=self._language,
                entities=self._entities,
                score_threshold=self._threshold,
            )
        return [Span(one.start, one.end, _word(one.entity_type)) for one in results]


def _word(entity: str) -> str:
    return entity.lower().replace("_", " ")
