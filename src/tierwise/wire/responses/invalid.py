"""What is wrong with a request of the Responses API, in words that its sender can act on."""

from __future__ import annotations

from tierwise.errors import InvalidRequest
from tierwise.wire.mistakes import Mistakes

explained = Mistakes(
    "a JSON object with `model` and `input`",
    {
        "model": 'Name a model or a policy, for example "auto"; GET /v1/models lists them.',
        "input": 'Send a text, or a list such as [{"role": "user", "content": "Hello"}].',
    },
).explained


def in_background() -> InvalidRequest:
    """The error that an answer is wanted in the background, from where nobody could fetch it."""
    return InvalidRequest(
        "`background` is true, but answers are given only while their request waits: nothing goes "
        "on after it that `GET /v1/responses/{id}` could fetch. Leave `background` out; an answer "
        "that takes long is best read with `stream: true`, and a policy's `deadline_s` says how "
        "long it may take.",
        param="background",
    )
