"""Where the bytes of pictures, sounds and files are, as Chat Completions writes it."""

from __future__ import annotations

from tierwise.wire.conversation import Source

_SOUNDS = {"mp3": "audio/mpeg", "wav": "audio/wav", "pcm16": "audio/pcm"}
_FORMATS = {
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/pcm": "pcm16",
}


def read_url(url: str) -> Source:
    """The source that a URL is; one of the scheme `data:` holds the bytes."""
    if url[:5].lower() == "data:":
        kind, found, data = url[5:].partition(";base64,")
        if found:
            return Source(media_type=kind or None, data=data)
    return Source(url=url)


def write_url(source: Source) -> str | None:
    """A URL for it; None if there is none, as for files that only a provider knows."""
    if source.data is not None:
        return f"data:{source.media_type or ''};base64,{source.data}"
    return source.url


def media_type_of(sound: str) -> str:
    """The media type of one of OpenAI's formats of sound."""
    return _SOUNDS.get(sound, f"audio/{sound}")


def format_of(media_type: str | None) -> str:
    """OpenAI's name of a sound's format."""
    kind = (media_type or "audio/wav").partition(";")[0].strip().lower()
    return _FORMATS.get(kind) or kind.rpartition("/")[2]
