"""Labelled examples: prompts of ours, alone and with a passage to work on, and recorded ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from tierwise.errors import ConfigError
from tierwise.learning.labels.subjects import DOMAIN_OF_SUBJECT
from tierwise.types import Domain, Kind

_HERE = Path(__file__).parent
_SOURCE = "routellm"
"""Its licence permits shipping what was fitted to it, and it has the subjects of MMLU."""
_RECORDED: dict[tuple[str, str], tuple[Kind, Domain | None]] = {
    ("routellm", "gsm8k"): ("math", "mathematics"),
    ("llmrouter", "math"): ("math", "mathematics"),
    ("llmrouter", "mbpp"): ("code", "code"),
    ("zeroeval", "cruxeval_o"): ("code", "code"),
    ("llmrouter", "natural_qa"): ("qa", None),
    ("llmrouter", "trivia_qa"): ("qa", None),
    ("llmrouter", "agentverse-logicgrid"): ("reasoning", "general"),
}
"""(source, data set) -> what its prompts are; all of sources that may be shipped from."""
_WITH_PASSAGE: frozenset[str] = frozenset(
    {"classification", "extraction", "summarisation", "translation", "qa", "reasoning"}
)
_OF_EACH_DATASET = 60
"""So many recorded prompts of a data set teach a kind."""


class Example(Struct, frozen=True, kw_only=True):
    """One labelled text.

    Examples of one `group` are variants of one prompt, or come from one MMLU subject, and are
    never parted by a fold. `kind` or `domain` is None where only the other is known. `source` is
    `own` for a prompt of ours, `passage` for one with a passage attached, `held-out` for those that
    nothing is ever fitted to, else the name of a data set.
    """

    text: str
    domain: Domain | None = None
    kind: Kind | None = None
    group: str = ""
    source: str = "own"
    language: str = ""
    passage: int = -1


class _Prompt(Struct):
    text: str
    kind: Kind
    domain: Domain
    language: str


class _Passage(Struct):
    domain: Domain
    text: str


T = TypeVar("T")


def own_examples() -> list[Example]:
    """Our prompts, and those that work on a text once more with each passage of their domain."""
    passages = _read(_HERE / "passages.jsonl", _Passage)
    examples = []
    for number, prompt in enumerate(_read(_HERE / "prompts.jsonl", _Prompt)):
        plain = Example(
            text=prompt.text,
            domain=prompt.domain,
            kind=prompt.kind,
            group=f"own/{number}",
            language=prompt.language,
        )
        examples.append(plain)
        examples.extend(_with_passages(plain, passages, number))
    return examples


def held_out_examples() -> list[Example]:
    """Prompts of ours that were written for judging; nothing is fitted or adjusted to them."""
    return [
        Example(text=p.text, domain=p.domain, kind=p.kind, source="held-out", language=p.language)
        for p in _read(_HERE / "held_out.jsonl", _Prompt)
    ]


def recorded_examples(outcomes: Path) -> list[Example]:
    """MMLU's prompts with their domains, and some of other data sets with their kind."""
    path = outcomes / _SOURCE / "prompts.parquet"
    examples = []
    for dataset, category, text in _recorded(path):
        if dataset != "mmlu":
            continue
        if category not in DOMAIN_OF_SUBJECT:
            raise ConfigError(f"{category!r} is not a subject of MMLU", file=str(path))
        domain = DOMAIN_OF_SUBJECT[category]
        examples.append(Example(text=text, domain=domain, group=f"mmlu/{category}", source="mmlu"))
    for source in sorted({source for source, _ in _RECORDED}):
        taken: Counter[str] = Counter()
        for dataset, _, text in _recorded(outcomes / source / "prompts.parquet"):
            known = _RECORDED.get((source, dataset))
            taken[dataset] += 1
            if known is not None and taken[dataset] <= _OF_EACH_DATASET:
                kind, of = known
                group = f"{dataset}/{taken[dataset]}"
                examples.append(
                    Example(text=text, domain=of, kind=kind, group=group, source=dataset)
                )
    return examples


def _with_passages(plain: Example, passages: list[_Passage], number: int) -> Iterator[Example]:
    """The passage follows the instruction, or stands before it in every second prompt."""
    if plain.kind not in _WITH_PASSAGE or len(plain.text) > 150:
        return
    domain = "general" if plain.domain == "translation" else plain.domain
    for which, passage in enumerate(passages):
        if passage.domain == domain:
            parts = (plain.text, passage.text) if number % 2 else (passage.text, plain.text)
            yield msgspec.structs.replace(
                plain, text="\n\n".join(parts), source="passage", passage=which
            )


def _recorded(path: Path) -> Iterator[tuple[str, str, str]]:
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise ConfigError(
            "reading recorded outcomes needs pyarrow", remedy="pip install 'tierwise[train]'"
        ) from error
    if not path.is_file():
        raise ConfigError("there are no recorded prompts", file=str(path))
    table = parquet.read_table(path, columns=["dataset", "category", "prompt"])
    for row in table.to_pylist():
        yield row["dataset"], row["category"], row["prompt"]


def _read(path: Path, kind: type[T]) -> list[T]:
    lines = path.read_bytes().splitlines()
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            found.append(msgspec.json.decode(line, type=kind))
        except msgspec.MsgspecError as error:
            raise ConfigError(str(error), file=str(path), line=number) from error
    return found
