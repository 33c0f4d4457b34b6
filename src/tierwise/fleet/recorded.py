"""Answers that real models gave: every model says what it said when it was recorded."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tierwise.catalog import Catalog
from tierwise.errors import ConfigError
from tierwise.fleet.draw import draw
from tierwise.fleet.prices import Bill, fit
from tierwise.fleet.source import FleetModel, Said, WorkItem, count_tokens
from tierwise.fleet.tables import SERVABLE, Outcome, Prompt, Tables, read_tables
from tierwise.types import Domain, Kind, Prices

CALIBRATION = 0.3
"""Share of the prompts that priors are taken from and that no workload contains."""
_IMPOSSIBLE = -9999.0
"""What OpenAI says of a token that it would never have chosen: JSON has no infinity."""
_CLOSED = re.compile(r"^(?:gpt-[345]|chatgpt|o\d|claude|gemini)")
_CLOSED_HOMES = ("alpha", "beta")
_OPEN_HOMES = ("gamma", "delta")
_ABOUT: tuple[tuple[str, Kind, Domain], ...] = (
    ("mbpp|humaneval|human_eval|crux|code|java", "code", "code"),
    ("gsm8k|math|mgsm|aime", "math", "mathematics"),
    ("medical|medmcqa|clinical|anatomy|medicine|nutrition|virology", "qa", "medical"),
    ("law|legal|jurisprudence", "qa", "legal"),
    ("econom|account|finance|marketing", "qa", "finance"),
    ("arc_|arc-|science|physics|chemistry|biology|astronomy|gpqa", "qa", "science"),
    ("bfcl|tool", "agent-step", "general"),
)


class Recorded:
    """A source of answers, read from one folder of recorded outcomes.

    A prompt is kept if every model has a score and an answer for it; of prompts with the same
    text the first is kept. `notes` say what was left out. A model without any answer, or without
    cost and unknown to the price list, is left out too.

    The prompts fall into two parts by a hash of their id: from the calibration part (30%) come
    each model's `quality` and the choice of the `reference`, and the workload is the rest, so a
    run is never measured on what it was set up with. Prices are fitted to all recorded costs.
    """

    simulated = False

    def __init__(self, folder: Path) -> None:
        tables = read_tables(folder)
        self.notes: list[str] = []
        listed = self._able_models(tables, folder)
        self._outcomes = {_model_id(name): tables.outcomes[name] for name in listed}
        if len(self._outcomes) < len(listed):
            raise ConfigError(
                "two models have the same name but for the part before the slash",
                file=str(folder / "outcomes.parquet"),
                field="model",
                remedy="Rename one of them.",
            )
        kept = self._complete(tables.prompts, folder)
        self._texts = {prompt.id: prompt.text for prompt in kept}
        ids = list(self._texts)
        calibration = [i for i in ids if draw("calibration", i) < CALIBRATION] or ids
        self.calibration: tuple[str, ...] = tuple(calibration)
        self.models: Mapping[str, FleetModel] = {
            _model_id(name): self._model(name, ids, calibration, prices)
            for name, prices in listed.items()
        }
        self.reference = max(
            self.models.values(), key=lambda m: (m.quality, m.prices.output, m.id)
        ).id
        work = set(ids) - set(calibration) or set(ids)
        items = [_item(prompt) for prompt in kept]
        self._items = [item for item in items if item.id in work]
        self._by_text = {p.text: item for p, item in zip(kept, items, strict=True)}
        self._by_words = {_words(p.text): item for p, item in zip(kept, items, strict=True)}

    def prepare(self) -> None:
        """Nothing is left to do."""

    def items(self) -> Sequence[WorkItem]:
        """The prompts outside of the calibration part."""
        return self._items

    def find(self, prompt: str) -> WorkItem | None:
        """The prompt of exactly this text, or else of the same words."""
        return self._by_text.get(prompt) or self._by_words.get(_words(prompt))

    def said(self, item: WorkItem, model: str, _choice: int = 0) -> Said:
        """What was recorded; every choice is the same, because there is only one recording."""
        outcome = self._outcomes[model][item.id]
        sent, out = _tokens(outcome, self._texts[item.id])
        return Said(
            text=outcome.response or "",
            input_tokens=sent,
            output_tokens=out,
            cost_usd=outcome.cost_usd,
            latency_s=outcome.latency_s,
            logprob=None if outcome.logprob is None else max(outcome.logprob, _IMPOSSIBLE),
        )

    def score(self, item: WorkItem, model: str, answer: str) -> float | None:
        """The recorded score of the recorded answer; of another text nobody knows the score."""
        outcome = self._outcomes[model][item.id]
        return outcome.score if _words(answer) == _words(outcome.response or "") else None

    def unknown(self, model: str, _prompt: str) -> str:
        """Says that there is no recording."""
        return (
            f"This is the recorded fleet: {model} only repeats the answers that were recorded of "
            "it, and this prompt is not among the recorded ones."
        )

    def _able_models(self, tables: Tables, folder: Path) -> dict[str, Prices | None]:
        """The models that can be served, with list prices where no cost was recorded."""
        able: dict[str, Prices | None] = {}
        silent: list[str] = []
        unpriced: list[str] = []
        catalog: Catalog | None = None
        for name, outcomes in sorted(tables.outcomes.items()):
            if all(outcome.response is None for outcome in outcomes.values()):
                silent.append(name)
            elif any(outcome.cost_usd is not None for outcome in outcomes.values()):
                able[name] = None
            else:
                catalog = catalog or Catalog.builtin()
                model = catalog.resolve(name)
                if model is None:
                    unpriced.append(name)
                else:
                    able[name] = model.prices
        if not able:
            raise ConfigError(
                "no model here has recorded answers and a price",
                file=str(folder / "outcomes.parquet"),
                field="response",
                remedy=SERVABLE,
            )
        if silent:
            self.notes.append(f"left out, no answers recorded: {', '.join(silent)}")
        if unpriced:
            self.notes.append(f"left out, no cost recorded nor listed: {', '.join(unpriced)}")
        listed = sorted(name for name, prices in able.items() if prices is not None)
        if listed:
            self.notes.append(f"no cost recorded, list prices used: {', '.join(listed)}")
        return able

    def _complete(self, prompts: Iterable[Prompt], folder: Path) -> list[Prompt]:
        """The prompts that every model has scored answers to, each text once."""
        kept: dict[str, Prompt] = {}
        incomplete = repeated = 0
        for prompt in prompts:
            found = [outcomes.get(prompt.id) for outcomes in self._outcomes.values()]
            if any(one is None or one.score is None or one.response is None for one in found):
                incomplete += 1
            elif prompt.text in kept:
                repeated += 1
            else:
                kept[prompt.text] = prompt
        if not kept:
            raise ConfigError(
                "no prompt has a score and an answer of every model",
                file=str(folder / "outcomes.parquet"),
                field="response",
                remedy=SERVABLE,
            )
        self.notes.append(
            f"{len(kept):,} prompts kept; dropped {incomplete:,} where a model has no score or "
            f"answer, {repeated:,} whose text stands there twice"
        )
        return list(kept.values())

    def _model(
        self, name: str, ids: Sequence[str], calibration: Sequence[str], prices: Prices | None
    ) -> FleetModel:
        model_id = _model_id(name)
        outcomes = self._outcomes[model_id]
        scores = [outcomes[i].score or 0.0 for i in calibration]
        if prices is None:
            prices = fit([bill for i in ids if (bill := self._bill(outcomes, i)) is not None])
        # Dear models are large ones, and large ones are slow: 0 at 0.1 USD, 1 at 40 USD.
        size = min(1.0, max(0.0, (math.log10(max(prices.output, 1e-3)) + 1) / 2.6))
        sure = any(outcome.logprob is not None for outcome in outcomes.values())
        return FleetModel(
            id=model_id,
            upstream=name,
            prices=prices,
            capabilities=frozenset({"logprobs"} if sure else ()),
            quality=round(sum(scores) / len(scores), 4),
            homes=_CLOSED_HOMES if _CLOSED.match(model_id.lower()) else _OPEN_HOMES,
            ttft_s=round(0.25 + 0.55 * size, 3),
            tokens_per_s=round(120 - 80 * size, 1),
        )

    def _bill(self, outcomes: Mapping[str, Outcome], prompt_id: str) -> Bill | None:
        outcome = outcomes[prompt_id]
        if outcome.cost_usd is None:
            return None
        return Bill(*_tokens(outcome, self._texts[prompt_id]), outcome.cost_usd)


def _model_id(name: str) -> str:
    """A slash is how callers name provider/model, so ids have none."""
    return name.rsplit("/", 1)[-1]


def _tokens(outcome: Outcome, prompt: str) -> tuple[int, int]:
    """Input and output tokens, as recorded or else estimated from the length."""
    sent, out = outcome.input_tokens, outcome.output_tokens
    return (
        count_tokens(prompt) if sent is None else sent,
        count_tokens(outcome.response or "") if out is None else out,
    )


def _words(text: str) -> str:
    return " ".join(text.split())


def _item(prompt: Prompt) -> WorkItem:
    about = f"{prompt.dataset}/{prompt.category}".lower()
    kind: Kind = "qa"
    domain: Domain = "general"
    for pattern, its_kind, its_domain in _ABOUT:
        if re.search(pattern, about):
            kind, domain = its_kind, its_domain
            break
    return WorkItem(
        id=prompt.id,
        request={"messages": [{"role": "user", "content": prompt.text}]},
        kind=kind,
        domain=domain,
    )
