"""Task -> Profile and Reading with the text encoder: what is asked, read once for all.

The last user turn says what to do and mostly what it is about; standing instructions and earlier
turns speak for the domain too, the more the less the question itself says.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from tierwise.analysis.conversation import Conversation, conversation, declared_tools, ends
from tierwise.analysis.encoder import Encoder
from tierwise.analysis.heads import Heads
from tierwise.analysis.language import language_of
from tierwise.analysis.length import expected_tokens
from tierwise.analysis.lexicon import telling_words_of
from tierwise.analysis.profile import COMMODITY, difficulty_of, measure
from tierwise.analysis.reading import Reading
from tierwise.analysis.traits import Traits, Vector, traits_of
from tierwise.types import Domain, Kind, Profile, Task

_CONTEXT_WEIGHT = 0.6
_SHORT_TOKENS = 12
_COMMODITY_DIFFICULTY = 0.45
_TOUCHED = 0.15
"""The probability from which on a task is said to touch a domain that is not its own."""
_EVERYWHERE: frozenset[Domain] = frozenset({"general"})


class Analysed(Struct, frozen=True):
    """What analysis found, and the numbers that predictors read."""

    profile: Profile
    reading: Reading


class Analyst:
    """Analyses tasks. Holds no state but what it was built from; safe to share."""

    def __init__(self, encoder: Encoder, heads: Heads) -> None:
        self._encoder = encoder
        self._heads = heads

    @classmethod
    def builtin(cls) -> Analyst:
        """With the encoder and the weights that are installed.

        Raises:
            ConfigError: data files are missing or broken; `analyse` does without them.
        """
        return cls(Encoder.builtin(), Heads.builtin())

    def analyse(self, task: Task) -> Analysed:
        """What the task is about, how hard it looks, what a model must be able to do."""
        said = conversation(task)
        reading = self._encoder.read(said.question, tools=declared_tools(task))
        seen = measure(task).profile
        traits = traits_of(self._encoder, said.question, reading.mean, reading.structure)
        kind = self._kind(task, seen, said.question, traits)
        lower = ends(said.question).lower()
        difficulty = difficulty_of(kind, telling_words_of(lower), seen.input_tokens)
        domain, also = self._domains(said, reading, traits)
        expected = expected_tokens(kind, lower, reading.tokens)
        if task.max_output_tokens is not None:
            expected = min(expected, task.max_output_tokens)
        profile = replace(
            seen,
            kind=kind,
            domain=domain,
            also=also,
            difficulty=difficulty,
            output_tokens=expected * task.choices,
            commodity=kind in COMMODITY and difficulty < _COMMODITY_DIFFICULTY,
            language=language_of(said.question or said.system),
        )
        return Analysed(profile, reading)

    def _kind(self, task: Task, seen: Profile, question: str, traits: Traits) -> Kind:
        if "vision" in seen.requires:
            return "vision"
        if task.tools:
            return "agent-step"
        if not question.strip():
            return "chat"
        return self._heads.kinds[int(self._heads.kind(traits).argmax())]

    def _domains(
        self, said: Conversation, reading: Reading, traits: Traits
    ) -> tuple[Domain, frozenset[Domain]]:
        """The likeliest domain, and the others that are touched.

        Log-probabilities are added: a product of experts (Hinton, 2002).
        """
        heads = self._heads
        score = heads.domain(traits)
        contexts: Sequence[str] = [text for text in (said.system, said.earlier) if text]
        if contexts:
            brevity = np.float32(np.exp(-reading.tokens / _SHORT_TOKENS))
            weight = np.float32(_CONTEXT_WEIGHT) * (1 + brevity)
            for text in contexts:
                score = score + weight / len(contexts) * self._of_context(text)
        best = int(score.argmax())
        likely = np.exp(score - score[best])
        touched = np.flatnonzero(likely >= np.float32(_TOUCHED) * likely.sum())
        also = frozenset(heads.domains[int(place)] for place in touched if place != best)
        return heads.domains[best], also - _EVERYWHERE

    def _of_context(self, text: str) -> Vector:
        return self._heads.domain(traits_of(self._encoder, text, self._encoder.embed(text)))
