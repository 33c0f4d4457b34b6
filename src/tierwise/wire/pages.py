"""Lists that are given in pages, as OpenAI, Anthropic and Google have them."""

from __future__ import annotations

from tierwise.errors import InvalidRequest


def page_size(raw: str | None, name: str, *, default: int, most: int) -> int:
    """How many entries a page may have.

    Raises:
        InvalidRequest: it is no number from 1 to `most`.
    """
    if raw is None:
        return default
    if not (raw.isascii() and raw.isdigit() and len(raw) < 10 and 1 <= int(raw) <= most):
        shown = raw if len(raw) <= 60 else raw[:57] + "..."
        raise InvalidRequest(f"`{name}` is {shown!r}; it must be from 1 to {most}.", param=name)
    return int(raw)
