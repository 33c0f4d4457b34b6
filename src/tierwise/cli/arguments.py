"""Options that hold more than one value, and whether one was given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from typer.core import TyperCommand

from tierwise.errors import ConfigError

_SEVERAL = frozenset({"--outcomes", "--train", "--test"})


class TakesFolders(TyperCommand):
    """A command whose options for folders take several: `--test A B` is `--test A --test B`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeats such an option before each of its further values."""
        spread: list[str] = []
        open_option: str | None = None
        for place, arg in enumerate(args):
            if arg.startswith("-"):
                name = arg.split("=", 1)[0]
                open_option = name if name in _SEVERAL else None
            elif open_option is not None and args[place - 1] != open_option:
                spread.append(open_option)
            spread.append(arg)
        return super().parse_args(ctx, spread)


def given(context: Any, name: str) -> bool:
    """Whether an option was written, be it with its default."""
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def listed(text: str) -> list[str]:
    """The parts between commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def prices(given: Sequence[str]) -> dict[str, float]:
    """USD per request by model, out of MODEL=USD.

    Raises:
        ConfigError: one of them is not of that form, or below 0.
    """
    found: dict[str, float] = {}
    for text in given:
        model, _, amount = text.rpartition("=")
        try:
            usd = float(amount)
        except ValueError:
            usd = -1.0
        if not model or not 0 <= usd < float("inf"):
            raise ConfigError(
                f"{text!r} is no price",
                field="--price",
                remedy="Write MODEL=USD per request, for example gpt-4o=0.004.",
            )
        found[model] = usd
    return found
