"""Task -> Profile by simple, readable rules: words, structure, size.

The last user turn says what to do; the rest of the conversation only helps to tell the domain.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import cast

from msgspec import Struct
from msgspec.structs import replace

from tierwise.analysis.length import OUTPUT_TOKENS
from tierwise.analysis.lexicon import (
    DOMAIN_OF,
    KIND_OF,
    REASONING_WORDS,
    stems_for,
    telling_words_of,
)
from tierwise.types import DOMAINS, KINDS, Capability, Domain, Kind, Profile, Task

_READ_CHARS = 400
"""Of a long text, as many characters are read from its start and again from its end."""
_DOMAIN_WORDS = frozenset(DOMAIN_OF)
_KIND_WORDS = frozenset(KIND_OF)
COMMODITY: frozenset[Kind] = frozenset(
    {"classification", "extraction", "summarisation", "translation"}
)
"""Kinds of work that most models do well."""
_BASE_DIFFICULTY: dict[Kind, float] = {
    "classification": 0.2,
    "extraction": 0.25,
    "summarisation": 0.3,
    "translation": 0.3,
    "chat": 0.3,
    "qa": 0.4,
    "creative": 0.5,
    "vision": 0.5,
    "agent-step": 0.5,
    "code": 0.55,
    "math": 0.55,
    "reasoning": 0.65,
}
_PART_CAPABILITY: dict[str, Capability] = {
    "image_url": "vision",
    "input_image": "vision",
    "image": "vision",
    "video_url": "vision",
    "input_audio": "audio",
    "file": "documents",
    "document": "documents",
}
_IMAGE_TOKENS = 800
_NOTHING: frozenset[Capability] = frozenset()
_NO_DOMAINS: frozenset[Domain] = frozenset()
_ENOUGH_VOTES = 2
"""One word of the question, or two of what surrounds it."""


class Measured(Struct, frozen=True):
    """What a task's structure tells at once, and the text that its words are read from."""

    profile: Profile
    question: str
    context: str
    has_tools: bool


def analyse(task: Task) -> Profile:
    """What the task is about, how hard it looks, and what a model must be able to do."""
    return classify(measure(task))


def measure(task: Task) -> Measured:
    """Structure only: size, needs, and where the words are. Kind and domain are left open."""
    requires: set[Capability] = set()
    question = earlier = system = ""
    chars = images = 0
    for message in task.messages:
        if isinstance(message.content, str):
            text = message.content
        else:
            text = message.text
            for part in message.content or ():
                capability = _PART_CAPABILITY.get(part.type)
                if capability is not None:
                    requires.add(capability)
                    images += capability == "vision"
        # Four bytes a token hold about for every script, four characters for the Latin one only.
        chars += len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
        if message.role == "user":
            earlier, question = question, text
        elif message.role in ("system", "developer"):
            system = text
    if task.tools:
        requires.add("tools")
    if task.json_schema is not None:
        requires.add("json_schema")
    elif task.json_mode:
        requires.add("json_mode")
    if task.logprobs:
        requires.add("logprobs")
    if task.reasoning:
        requires.add("reasoning")
    input_tokens = chars // 4 + 4 * len(task.messages) + images * _IMAGE_TOKENS
    if task.tools:
        input_tokens = max(input_tokens, len(task.body) // 4)
    profile = Profile(
        kind="chat",
        domain="general",
        difficulty=_BASE_DIFFICULTY["chat"],
        requires=frozenset(requires) if requires else _NOTHING,
        input_tokens=input_tokens,
        output_tokens=task.max_output_tokens or 0,
        choices=task.choices,
    )
    context = (
        f"{_ends(system)} {_ends(earlier)}" if system and earlier else _ends(system or earlier)
    )
    return Measured(profile, _ends(question), context, task.tools)


def classify(measured: Measured) -> Profile:
    """Reads the words: kind, domain, difficulty, and how long the answer will be."""
    seen = measured.profile
    words = telling_words_of(measured.question)
    lower = measured.question.lower()
    foreign = [group for stems in stems_for(lower) for group in stems.groups(lower)]
    kind = _kind(measured, words, foreign)
    domain, also = _domains(words, foreign, measured.context, kind)
    expected = OUTPUT_TOKENS[kind]
    if seen.output_tokens:
        expected = min(expected, seen.output_tokens)
    return replace(
        seen,
        kind=kind,
        domain=domain,
        also=also,
        difficulty=difficulty_of(kind, words, seen.input_tokens),
        output_tokens=expected * seen.choices,
        commodity=kind in COMMODITY,
    )


def _ends(text: str) -> str:
    """Start and end of a long text: what is wanted stands at one of them."""
    if len(text) <= 2 * _READ_CHARS:
        return text
    return f"{text[:_READ_CHARS]} {text[-_READ_CHARS:]}"


def _kind(measured: Measured, words: Set[bytes], foreign: Sequence[str]) -> Kind:
    question = measured.question
    if "vision" in measured.profile.requires:
        return "vision"
    if measured.has_tools:
        return "agent-step"
    if "```" in question or "def " in question:
        return "code"
    votes: dict[str, int] = {}
    for word in words & _KIND_WORDS:
        for kind in KIND_OF[word]:
            # A question or a greeting stands in every other prompt; "translate" says more.
            votes[kind] = votes.get(kind, 0) + (1 if kind in ("qa", "chat") else 2)
    for group in foreign:
        if group in KINDS:
            votes[group] = votes.get(group, 0) + 2
    if not votes:
        return "qa" if "?" in question else "chat"
    return cast(Kind, max(sorted(votes), key=votes.__getitem__))


def _domains(
    words: Set[bytes], foreign: Sequence[str], context: str, kind: Kind
) -> tuple[Domain, frozenset[Domain]]:
    """The domain with most votes, and the others that have enough of them.

    `foreign` are kinds and domains that words of other languages speak for.
    """
    votes: dict[str, int] = {}
    for group in foreign:
        if group in DOMAINS:
            votes[group] = votes.get(group, 0) + 2
    for word in words & _DOMAIN_WORDS:
        for domain in DOMAIN_OF[word]:
            votes[domain] = votes.get(domain, 0) + 2
    if context:
        for word in telling_words_of(context) & _DOMAIN_WORDS:
            for domain in DOMAIN_OF[word]:
                votes[domain] = votes.get(domain, 0) + 1
    if kind in ("code", "creative", "translation"):
        votes[kind] = votes.get(kind, 0) + 3
    elif kind == "math":
        votes["mathematics"] = votes.get("mathematics", 0) + 3
    enough = [name for name in sorted(votes) if votes[name] >= _ENOUGH_VOTES]
    if not enough:
        return "general", _NO_DOMAINS
    best = max(enough, key=votes.__getitem__)
    if len(enough) == 1:
        return cast(Domain, best), _NO_DOMAINS
    return cast(Domain, best), frozenset(cast(Domain, name) for name in enough if name != best)


def difficulty_of(kind: Kind, words: Set[bytes], input_tokens: int) -> float:
    """How hard a task looks, in [0, 1]: by its kind, telling words and length."""
    harder = 0.08 * min(3, len(words & REASONING_WORDS))
    longer = 0.15 * min(1.0, input_tokens / 8000)
    return min(1.0, _BASE_DIFFICULTY[kind] + harder + longer)
