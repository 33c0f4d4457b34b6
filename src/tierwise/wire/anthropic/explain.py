"""What is wrong with a body, in words that a caller of the Messages API can act on."""

from __future__ import annotations

import msgspec

from tierwise.errors import InvalidRequest
from tierwise.wire.mistakes import Mistakes, shortened

explained = Mistakes(
    "a JSON object with `model`, `max_tokens` and `messages`",
    {
        "model": 'Name a model or a policy, for example "auto"; GET /v1/models lists them.',
        "messages": 'Send a list such as [{"role": "user", "content": "Hello"}].',
        "max_tokens": "Send the most tokens that the answer may have, for example 1024.",
    },
).explained


def refused(path: str, wrong: str, value: object) -> InvalidRequest:
    """An error about a value that has the right type; `wrong` says what it must be."""
    return InvalidRequest(
        f"`{path}` is {shortened(msgspec.json.encode(value))}; {wrong}", param=path
    )
