"""Whether JSON is text at all: decoders do not look into the strings that nobody reads."""

from __future__ import annotations


def check_text(body: bytes) -> None:
    """Raises `UnicodeDecodeError` where a body is not UTF-8.

    What is passed on unread would reach whoever reads it next, and is then nobody's fault there.
    """
    if not body.isascii():
        body.decode()
