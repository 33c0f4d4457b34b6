"""How large a request or an answer may be."""

from __future__ import annotations

from msgspec import Struct


class Size(Struct, frozen=True):
    """How large something is; `output_tokens` is how long an answer a request allows, if it says.

    Tokens of requests are counted as routing counts them, about four bytes each.
    """

    bytes: int = 0
    chars: int = 0
    tokens: int = 0
    messages: int = 0
    output_tokens: int | None = None


class Ceilings(Struct, frozen=True):
    """The most that there may be of each; None where there is no ceiling."""

    bytes: int | None = None
    chars: int | None = None
    tokens: int | None = None
    messages: int | None = None
    output_tokens: int | None = None

    def over(self, size: Size) -> list[str]:
        """What is over its ceiling, in words with both numbers."""
        found = []
        for name in self.__struct_fields__:
            most, there = getattr(self, name), getattr(size, name)
            if most is not None and there is not None and there > most:
                found.append(f"{there:,} {name.replace('_', ' ')} of {most:,} that are allowed")
        return found
