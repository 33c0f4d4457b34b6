"""Bodies of calls that are passed through: JSON, bytes, files, forms with files in them.

Files are read piece by piece as they are sent, so that a large one takes no memory.
"""

from __future__ import annotations

import asyncio
import mimetypes
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from tierwise.errors import InvalidRequest

File = bytes | Path | tuple[str, bytes | Path]
"""What a file holds or where it is, or its name and that."""
Field = str | int | float | File
_PIECE = 64 << 10
_ESCAPED = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})
"""https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data"""


class Sending(Struct, frozen=True):
    """A body that goes out once: `parts` one after the other, of `length` bytes together."""

    parts: tuple[bytes | Path, ...]
    length: int
    kind: str | None = None
    """Its content type; None where nobody knows."""

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it is sent; raises `OSError` if a file cannot be read any more."""
        for part in self.parts:
            if isinstance(part, bytes):
                yield part
                continue
            file = await asyncio.to_thread(part.open, "rb")
            with file:
                while piece := await asyncio.to_thread(file.read, _PIECE):
                    yield piece


def plain_body(content: bytes | Path) -> Sending:
    """Bytes, or a file, as they are.

    Raises:
        InvalidRequest: it is neither, or the file is not there.
    """
    content = _checked("content", content)
    return Sending((content,), _size("content", content))


def form_body(form: Mapping[str, Field | Sequence[Field]]) -> Sending:
    """A form as `multipart/form-data`; a list is a field that comes several times.

    Raises:
        InvalidRequest: a field is nothing that a form can hold, or its file is not there.
    """
    boundary = secrets.token_hex(16)
    parts: list[bytes | Path] = []
    length = 0
    for name, given in form.items():
        for value in given if isinstance(given, list) else [given]:
            field = (_head(boundary, name, value), _content(name, value), b"\r\n")
            length += sum(_size(name, part) for part in field)
            parts += field
    end = b"--%b--\r\n" % boundary.encode()
    kind = f"multipart/form-data; boundary={boundary}"
    return Sending((*parts, end), length + len(end), kind)


def _head(boundary: str, name: str, value: object) -> bytes:
    said = f'form-data; name="{name.translate(_ESCAPED)}"'
    lines = [f"--{boundary}", f"content-disposition: {said}"]
    file = _file_name(name, value)
    if file is not None:
        lines[-1] += f'; filename="{file.translate(_ESCAPED)}"'
        kind = mimetypes.guess_type(file)[0] or "application/octet-stream"
        lines.append(f"content-type: {kind}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "replace")


def _file_name(name: str, value: object) -> str | None:
    """What a file is called, which a provider may want to know; None of what is none."""
    if isinstance(value, tuple) and len(value) == 2:
        return str(value[0])
    if isinstance(value, Path):
        return value.name
    return name if isinstance(value, bytes) else None


def _content(name: str, value: object) -> bytes | Path:
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, (str, int, float)):
        return str(value).encode("utf-8", "replace")
    return _checked(name, value[1] if isinstance(value, tuple) and len(value) == 2 else value)


def _checked(name: str, content: object) -> bytes | Path:
    if not isinstance(content, (bytes, Path)):
        raise InvalidRequest(
            f"`{name}` is of the type {type(content).__name__}. Give bytes, or a `pathlib.Path`; "
            "in a form also a text or a number, or `(name, bytes)`.",
            param=name,
        )
    return content


def _size(name: str, part: bytes | Path) -> int:
    if isinstance(part, bytes):
        return len(part)
    try:
        return part.stat().st_size
    except OSError as error:
        raise InvalidRequest(f"`{name}` cannot be read: {error}.", param=name) from None
