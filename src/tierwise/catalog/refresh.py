"""Builds `prices.json` from the installed genai-prices.

    python -m tierwise.catalog.refresh            write the file anew, as of today
    python -m tierwise.catalog.refresh --check    fail if it is not what genai-prices gives

What is kept of a price, and what is not:

- Input, output, cached input and cache write (the five-minute one), in USD per million tokens.
  Batch, priority and "fast" variants, searches, audio and fees per request are left out.
- Prices that hold from some day on: the one in force on the day of the file, and announced ones
  with their day.
- Prices that depend on the time of day: the one that holds for the most hours.
- A model for which either input or output has no price has none at all here: it is never taken
  to be 0. Only names that end in `:free` and have no price of any kind cost 0.

This is the only module of the package that imports genai-prices, a development dependency.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from genai_prices import types as genai
from genai_prices.data_snapshot import get_snapshot

from tierwise.catalog.match import ALL, Clause

FILE = Path(__file__).with_name("prices.json")
UNIT = "USD per million tokens"
HIGHEST_PLAUSIBLE = 1000.0
"""USD per million tokens. More than that is a price in another unit."""

_KEYS = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok")
_FREE = [0.0, 0.0]


def build(as_of: datetime.date) -> str:
    """The text of `prices.json` as it should be on that day, one line per model."""
    blocks = []
    for provider in sorted(get_snapshot().providers, key=lambda p: p.id):
        head = _without_empty(
            url=provider.api_pattern,
            named=provider.provider_match and _clause(provider.provider_match),
            serves=provider.model_match and _clause(provider.model_match),
            borrows=provider.fallback_model_providers,
        )
        models = ",\n".join(_dumps(_entry(model, as_of)) for model in provider.models)
        blocks.append(f'{_dumps(provider.id)}:{_dumps(head)[:-1]},"models":[\n{models}\n]}}')
    header = {
        "source": f"genai-prices {version('genai-prices')}",
        "as_of": as_of.isoformat(),
        "unit": UNIT,
    }
    return f'{_dumps(header)[:-1]},"providers":{{\n' + ",\n".join(blocks) + "\n}}\n"


def differences(text: str) -> list[str]:
    """Lines that the installed genai-prices would have otherwise, for the day of the file."""
    as_of = datetime.date.fromisoformat(json.loads(text)["as_of"])
    is_, should = text.splitlines(), build(as_of).splitlines()
    gone = [f"- {line}" for line in is_ if line not in set(should)]
    new = [f"+ {line}" for line in should if line not in set(is_)]
    return gone + new or ([] if is_ == should else ["the order of lines"])


def _entry(model: genai.ModelInfo, as_of: datetime.date) -> dict[str, Any]:
    clause = _clause(model.match)
    usd, above = _rates(model, as_of)
    return _without_empty(
        id=model.id,
        usd=usd,
        above=above,
        later=list(_later(model, as_of)),
        window=model.context_window,
        deprecated=model.deprecated,
        **{"is": None if clause == f"={model.id.lower()}" else clause},
    )


def _later(model: genai.ModelInfo, as_of: datetime.date) -> Iterator[dict[str, Any]]:
    if isinstance(model.prices, genai.ModelPrice):
        return
    starts = {
        price.constraint.start_date
        for price in model.prices
        if isinstance(price.constraint, genai.StartDateConstraint)
    }
    for start in sorted(day for day in starts if day > as_of):
        usd, above = _rates(model, start)
        if usd is not None:
            yield _without_empty(since=start.isoformat(), usd=usd, above=above)


def _rates(
    model: genai.ModelInfo, day: datetime.date
) -> tuple[list[float | None] | None, list[list[Any]]]:
    price = _usual_price(model, day)
    values = {key: getattr(price, key) for key in _KEYS}
    if values["input_mtok"] is None or values["output_mtok"] is None:
        priced = any(value is not None for value in vars(price).values())
        free = model.id.endswith(":free") and not priced
        return (list(_FREE), []) if free else (None, [])
    starts = sorted(
        {
            tier.start
            for value in values.values()
            if isinstance(value, genai.TieredPrices)
            for tier in value.tiers
        }
    )
    # A price without a tier of its own at some threshold stays what it was below it.
    return (
        _rate(values, 0, model.id),
        [[start, _rate(values, start + 1, model.id)] for start in starts],
    )


def _usual_price(model: genai.ModelInfo, day: datetime.date) -> genai.ModelPrice:
    """The price that holds for most of the day, in UTC."""
    midnight = datetime.datetime.combine(day, datetime.time(), tzinfo=datetime.UTC)
    quarters = [midnight + datetime.timedelta(minutes=15 * n + 1) for n in range(96)]
    prices = [model.get_prices(moment) for moment in quarters]
    usual, _ = Counter(repr(price) for price in prices).most_common(1)[0]
    return next(price for price in prices if repr(price) == usual)


def _rate(values: dict[str, Any], input_tokens: int, model: str) -> list[float | None]:
    rate: list[float | None] = []
    for value in values.values():
        if isinstance(value, genai.TieredPrices):
            reached = [tier.price for tier in value.tiers if input_tokens > tier.start]
            value = reached[-1] if reached else value.base
        rate.append(None if value is None else round(float(value), 6))
    if any(number is not None and not 0 <= number <= HIGHEST_PLAUSIBLE for number in rate):
        raise ValueError(f"{model}: {rate} cannot be {UNIT}")
    while rate[-1] is None:
        rate.pop()
    return rate


def _clause(logic: genai.MatchLogic) -> Clause:
    match logic:
        case genai.ClauseOr():
            parts = [_clause(part) for part in logic.or_]
            return parts[0] if len(parts) == 1 else parts
        case genai.ClauseAnd():
            return [ALL, *(_clause(part) for part in logic.and_)]
        case genai.ClauseEquals():
            return "=" + logic.equals.lower()
        case genai.ClauseStartsWith():
            return "^" + logic.starts_with.lower()
        case genai.ClauseEndsWith():
            return "$" + logic.ends_with.lower()
        case genai.ClauseContains():
            return "*" + logic.contains.lower()
        case genai.ClauseRegex():
            return "~" + logic.regex
    raise TypeError(f"unknown clause {logic!r}")


def _without_empty(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in (None, [], False)}


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns the exit status: 1 if `--check` finds a difference."""
    parser = argparse.ArgumentParser(prog="python -m tierwise.catalog.refresh")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    if not parser.parse_args(arguments).check:
        FILE.write_text(build(datetime.datetime.now(tz=datetime.UTC).date()), encoding="utf-8")
        return 0
    found = differences(FILE.read_text(encoding="utf-8"))
    for line in found:
        sys.stdout.write(line + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
