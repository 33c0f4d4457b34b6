"""The shapes of Gemini's answers, whole and streamed: both are the same object."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

ABSENT = Raw(b"")


class Call(Struct, rename="camel"):
    """A call of a function; `args` is an object."""

    name: str = ""
    args: Raw = ABSENT
    id: str | None = None


class Blob(Struct, rename="camel"):
    """Bytes in base64."""

    mime_type: str = ""
    data: str = ""


class Piece(Struct, rename="camel"):
    """One part of what is said."""

    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: Call | None = None
    inline_data: Blob | None = None
    file_data: Raw = ABSENT
    executable_code: Raw = ABSENT
    code_execution_result: Raw = ABSENT
    tool_call: Raw = ABSENT
    tool_response: Raw = ABSENT


class Content(Struct, rename="camel"):
    """What one side says. An answer that was taken away has no parts."""

    parts: list[Piece] | None = None


class Candidate(Struct, rename="camel"):
    """One of the answers."""

    content: Content | None = None
    finish_reason: str | None = None
    index: int | None = None
    citation_metadata: Raw = ABSENT
    grounding_metadata: Raw = ABSENT
    url_context_metadata: Raw = ABSENT
    safety_ratings: Raw = ABSENT
    logprobs_result: Raw = ABSENT

    @property
    def pieces(self) -> list[Piece]:
        """What it says."""
        return (self.content.parts if self.content is not None else None) or []


class Feedback(Struct, rename="camel"):
    """What was thought of the prompt; one that was blocked gets no answer."""

    block_reason: str | None = None
    block_reason_message: str | None = None

    @property
    def words(self) -> str:
        """Why there is no answer, for people."""
        return self.block_reason_message or f"The prompt was blocked: {self.block_reason}."


class Answer(Struct, rename="camel"):
    """An answer, or one event of a stream."""

    candidates: list[Candidate] | None = None
    prompt_feedback: Feedback | None = None
    usage_metadata: Raw = ABSENT
    model_version: str | None = None
    response_id: str | None = None
    create_time: str | None = None
    error: Raw = ABSENT

    @property
    def blocked(self) -> Feedback | None:
        """Why the prompt was not answered, if it was not."""
        feedback = self.prompt_feedback
        if feedback is None or feedback.block_reason is None or self.candidates:
            return None
        return feedback


read_answer = msgspec.json.Decoder(Answer).decode
"""Raises `msgspec.MsgspecError` if it is none."""
