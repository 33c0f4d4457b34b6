"""The interface of a provider adapter: build a request, read an answer or a stream, name errors."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Protocol, runtime_checkable

from tierwise.errors import ConfigError, UpstreamError
from tierwise.providers.http import HttpRequest
from tierwise.types import Completion, Deployment, Task, Usage

BUILTIN = {
    "openai_compatible": "tierwise.providers.openai_compatible:OpenAICompatible",
    "anthropic": "tierwise.providers.anthropic:Anthropic",
    "openai_responses": "tierwise.providers.openai_responses:OpenAIResponses",
    "gemini": "tierwise.providers.gemini:Gemini",
    "vertex": "tierwise.providers.vertex:Vertex",
    "mistral": "tierwise.providers.mistral:Mistral",
    "azure": "tierwise.providers.azure:Azure",
    "cohere": "tierwise.providers.cohere:Cohere",
    "bedrock": "tierwise.providers.bedrock:Bedrock",
    "bedrock_invoke": "tierwise.providers.bedrock_invoke:BedrockInvoke",
}
"""The adapters that come with Tierwise, by dialect. Others: entry points `tierwise.providers`."""


class Reply(Protocol):
    """A whole answer: bytes for the client, and what accounting and gates need to know."""

    @property
    def body(self) -> bytes:
        """The answer as the caller reads it."""

    @property
    def reported_model(self) -> str | None:
        """The model that the provider names."""

    @property
    def usage(self) -> Usage | None:
        """What the provider counted, as far as it can be believed."""

    def completion(self) -> Completion:
        """What the answer says; decoded only when asked for."""

    def rename(self, model: str) -> None:
        """Makes the body name `model` as the one that answered."""


class StreamReader(Protocol):
    """Reads one stream while it passes, and says what has been seen so far."""

    @property
    def started(self) -> bool:
        """Whether its first event was here."""

    @property
    def finished(self) -> bool:
        """Whether the answer is whole; the stream itself may go on."""

    @property
    def reported_model(self) -> str | None:
        """The model that the provider names."""

    @property
    def usage(self) -> Usage | None:
        """What the provider counted so far."""

    @property
    def output_chars(self) -> int:
        """About how many characters were said, for providers that do not count tokens."""

    def feed(self, data: bytes) -> bytes:
        """The bytes to hand on for the bytes that came; b"" while an event is incomplete.

        Raises:
            UpstreamError: the stream carries an error or is not a stream.
        """

    def close(self) -> bytes:
        """The last bytes to hand on when the upstream has ended.

        Raises:
            StreamBroken: the upstream ended in the middle of an answer.
        """

    def rename(self, model: str, block: bytes) -> bytes:
        """`block`, and whatever `feed` gives from now on, with `model` as the one that answers."""

    def completion(self) -> Completion:
        """What the stream said; only for readers that were opened with `keep=True`."""


class Adapter(Protocol):
    """Speaks one provider dialect for one deployment. Knows nothing of policies or tiers.

    `speaks` is the dialect of the tasks that it takes and of the answers that it gives, one of
    `tierwise.wire.dialect`; callers of others are served through a translation.
    """

    deployment: Deployment
    speaks: str

    def __init__(self, deployment: Deployment) -> None: ...

    def request(self, task: Task) -> HttpRequest:
        """The HTTP call that asks this deployment the task."""

    def reply(self, body: bytes, task: Task) -> Reply:
        """A 200 answer to a task. Raises `ServerFailed` if it cannot be read as one."""

    def stream_reader(self, task: Task, *, keep: bool = False) -> StreamReader:
        """A reader for a 200 stream; `keep` remembers the chunks for gates."""

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """What an answer with another status means."""


@runtime_checkable
class ShowsLife(Protocol):
    """An adapter whose provider can be asked for a sign of life that costs nothing."""

    def sign_of_life(self) -> HttpRequest:
        """The HTTP call that asks for one."""


@runtime_checkable
class TellsLogprobs(Protocol):
    """An adapter whose provider can say how likely each token was."""

    def asking_logprobs(self) -> Adapter:
        """An adapter of the same deployment that asks for it whether or not the caller did.

        Its replies and streams show clients an answer as if nobody had asked.
        """


@runtime_checkable
class Prefills(Protocol):
    """An adapter whose provider may go on from a text as if the model had written it."""

    def prefilled(self, task: Task, said: str) -> Task | None:
        """The task with the beginning of its answer; None if this deployment cannot do that."""


def lacks_of(adapter: Adapter) -> frozenset[str]:
    """The features that an adapter's deployment does not take, whatever its dialect can say.

    An adapter that knows more of its model's than is configured has them as its own `lacks`.
    Callers of its dialect are told so by the provider itself; for others they are as if there were
    no words for them.
    """
    # Asked for every translated call: a protocol's `isinstance` takes as long as to write the body.
    own: frozenset[str] | None = getattr(adapter, "lacks", None)
    known = adapter.deployment.lacks
    return known | own if own else known


def load_adapter(dialect: str) -> type[Adapter]:
    """The adapter class for a dialect.

    Raises:
        ConfigError: no adapter has that name.
    """
    target = BUILTIN.get(dialect)
    if target is None:
        others = {point.name: point.value for point in entry_points(group="tierwise.providers")}
        target = others.get(dialect)
        if target is None:
            known = [*BUILTIN, *others]
            near = difflib.get_close_matches(dialect, known) or known
            raise ConfigError(
                f"unknown provider dialect {dialect!r}",
                field="providers.dialect",
                remedy=f"Use one of: {', '.join(near)}.",
            )
    module, _, attribute = target.partition(":")
    adapter: type[Adapter] = getattr(import_module(module), attribute)
    return adapter
