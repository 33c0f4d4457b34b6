"""`output_config` and `output_format` of `POST /v1/messages`: how the answer is to be."""

from __future__ import annotations

from msgspec import Raw, Struct


class OutputFormat(Struct):
    """The form of the answer, which is `json_schema` where it is one that is known."""

    type: str
    schema: Raw = Raw(b"")


class OutputConfig(Struct):
    """How much is put into the answer, and its form."""

    effort: str | None = None
    format: OutputFormat | None = None
