"""Pictures, sounds, films and documents as Converse takes them: a format, and bytes or S3."""

from __future__ import annotations

import base64
import re
from typing import Any

from tierwise.wire.conversation import Audio, Document, Image, Source, Video

# Where the format's name is not the second half of the media type.
_FORMATS = {
    "image/jpg": "jpeg",
    "audio/mpeg": "mp3",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/x-m4a": "m4a",
    "audio/pcm16": "pcm",
    "video/quicktime": "mov",
    "video/x-matroska": "mkv",
    "video/x-flv": "flv",
    "video/x-ms-wmv": "wmv",
    "video/3gpp": "three_gp",
    "text/plain": "txt",
    "text/markdown": "md",
    "application/msword": "doc",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
}
_ENDING = re.compile(r"\.([A-Za-z0-9]{2,5})$")
_BEGINNINGS = (("iVBOR", "png"), ("/9j/", "jpeg"), ("R0lGOD", "gif"), ("UklGR", "webp"))
"""What the base64 of a picture begins with."""
# "The name can only contain": letters, digits, single whitespace, hyphens, parentheses, brackets.
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9\s()\[\]-]+")
_NAME_LENGTH = 200


def image_block(image: Image) -> dict[str, Any]:
    """A picture."""
    format_ = _format(image.source, None)
    if not format_:
        data = image.source.data or ""
        format_ = next((name for begin, name in _BEGINNINGS if data.startswith(begin)), "png")
    return {"image": {"format": format_, "source": _source(image.source)}}


def audio_block(audio: Audio) -> dict[str, Any]:
    """A sound."""
    return {
        "audio": {"format": _format(audio.source, None) or "mp3", "source": _source(audio.source)}
    }


def video_block(video: Video) -> dict[str, Any]:
    """A film."""
    return {
        "video": {"format": _format(video.source, None) or "mp4", "source": _source(video.source)}
    }


class Documents:
    """Writes the documents of one request: each must have a name, and none the name of another."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def block(self, document: Document) -> dict[str, Any]:
        """A document."""
        if document.text is not None:
            source: dict[str, Any] = {"bytes": base64.b64encode(document.text.encode()).decode()}
            format_ = "txt"
        else:
            source = _source(document.source)
            format_ = _format(document.source, document.name) or "pdf"
        found: dict[str, Any] = {
            "format": format_,
            "name": self._name(document.name),
            "source": source,
        }
        if document.context:
            found["context"] = document.context
        if document.cited:
            found["citations"] = {"enabled": True}
        return {"document": found}

    def _name(self, wanted: str | None) -> str:
        plain = _NOT_IN_NAMES.sub(" ", _ENDING.sub("", wanted or ""))
        plain = " ".join(plain.split())[: _NAME_LENGTH - 5]
        name = plain or f"Document {len(self._names) + 1}"
        number = 1
        while name in self._names:
            number += 1
            name = f"{plain or 'Document'} {number}"
        self._names.add(name)
        return name


def _format(source: Source, name: str | None) -> str:
    """The format by the media type, else by a name's ending; empty if neither says."""
    media = (source.media_type or "").partition(";")[0].strip().lower()
    if media and media != "application/octet-stream":
        return _FORMATS.get(media) or media.rpartition("/")[2]
    ending = _ENDING.search(name or source.url or "")
    return {"jpg": "jpeg"}.get(ending[1].lower(), ending[1].lower()) if ending else ""


def _source(source: Source) -> dict[str, Any]:
    if source.data is None and source.url is not None:
        return {"s3Location": {"uri": source.url}}
    return {"bytes": source.data or ""}
