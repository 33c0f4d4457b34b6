"""What is wrong with a request in OpenAI's chat dialect, in words that its sender can act on."""

from __future__ import annotations

from tierwise.wire.mistakes import Mistakes

explained = Mistakes(
    "a JSON object with `model` and `messages`",
    {
        "model": 'Name a model or a policy, for example "auto"; GET /v1/models lists them.',
        "messages": 'Send a list such as [{"role": "user", "content": "Hello"}].',
    },
).explained
