"""What any client can ask, in words of no dialect: the middle of every translation.

A dialect reads its own body into a `Conversation` and writes its own body from one. What only one
dialect knows stays in it as JSON (`Foreign`, `Conversation.own`), so that it survives as long as
the conversation stays there, and is named where it cannot. `hints` are such JSON too, of what
changes nothing in the answer: they are left out elsewhere without a word.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Raw, Struct, field

Role = Literal["system", "developer", "user", "assistant", "tool"]
"""Who says a turn. Results of tools are in turns of the role `tool`."""


class CacheMark(Struct, frozen=True):
    """The caller's wish that the provider keeps everything up to here. `ttl` is such as `5m`.

    `origin` is set where a dialect has a word of its own for it (OpenAI's breakpoints).
    """

    ttl: str | None = None
    origin: str = ""


class Source(Struct, frozen=True, kw_only=True):
    """Where the bytes of an image, a sound or a document are: one of `data`, `url` and `file_id`.

    `data` is base64. `media_type` may be unknown of a URL.
    """

    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None


class Text(Struct, frozen=True, kw_only=True):
    """What is said. `citations` are what it rests on, one dialect's own JSON each.

    `signature` is a provider's own mark on it (Gemini signs parts), `origin` the dialect whose mark
    and citations these are.
    """

    text: str
    citations: tuple[Citation, ...] = ()
    signature: str | None = None
    origin: str = ""
    cache: CacheMark | None = None


class Citation(Struct, frozen=True, kw_only=True):
    """What a piece of an answer rests on.

    `start` and `end` are the characters of the answer's text that it is about, where known. `raw`
    is the citation as its dialect `origin` writes it.
    """

    url: str | None = None
    title: str | None = None
    quoted: str | None = None
    start: int | None = None
    end: int | None = None
    raw: Raw = Raw(b"")
    origin: str = ""


class Image(Struct, frozen=True, kw_only=True):
    """A picture; `detail` is OpenAI's wish for how closely it is looked at."""

    source: Source
    detail: str | None = None
    cache: CacheMark | None = None


class Audio(Struct, frozen=True, kw_only=True):
    """A sound. Its media type is such as `audio/wav`."""

    source: Source
    cache: CacheMark | None = None


class Video(Struct, frozen=True, kw_only=True):
    """A film."""

    source: Source
    cache: CacheMark | None = None


class Document(Struct, frozen=True, kw_only=True):
    """A file to be read, such as a PDF. `cited` asks that the answer cites it.

    A plain text has `text` in place of a source's bytes. `pieces` are those that citations are to
    count, where it was given in such; `text` is then all of them. `detail` is as in `Image`.
    """

    source: Source
    text: str | None = None
    pieces: tuple[str, ...] = ()
    name: str | None = None
    context: str | None = None
    cited: bool = False
    detail: str | None = None
    cache: CacheMark | None = None


class Reasoning(Struct, frozen=True, kw_only=True):
    """What a model thought before it answered.

    `signature` proves to the provider that it is unchanged, `redacted` is what only the provider
    can read; both are good at the dialect `origin` alone. `id` is the item's, where it has one.
    `summary` says that the text is the provider's summary of it.
    """

    text: str = ""
    signature: str | None = None
    redacted: str | None = None
    origin: str = ""
    id: str | None = None
    summary: bool = False


class ToolCall(Struct, frozen=True, kw_only=True):
    """A tool that the model wants called; `arguments` is JSON text.

    `signature` is as in `Text`. `custom` is a tool that takes free text for its arguments. `hints`
    is an object of further fields that its dialect has.
    """

    id: str
    name: str
    arguments: str
    signature: str | None = None
    origin: str = ""
    custom: bool = False
    hints: Raw = Raw(b"")
    cache: CacheMark | None = None


class ToolResult(Struct, frozen=True, kw_only=True):
    """What a tool gave. `name` is that of the tool, empty where the dialect does not say.

    `hints` is as in `ToolCall`.
    """

    call_id: str
    parts: tuple[Part, ...]
    name: str = ""
    failed: bool = False
    custom: bool = False
    hints: Raw = Raw(b"")
    cache: CacheMark | None = None


class Refusal(Struct, frozen=True, kw_only=True):
    """The model's words where it declines to answer."""

    text: str


class Foreign(Struct, frozen=True, kw_only=True):
    """A piece that only the dialect `origin` knows, as it writes it.

    `what` names it for people, such as `server_tool_use`. `binding` says that an answer means
    something else without it: a dialect that cannot write it then refuses. Others are left out.
    """

    origin: str
    what: str
    raw: Raw
    binding: bool = True


Part = (
    Text | Image | Audio | Video | Document | Reasoning | ToolCall | ToolResult | Refusal | Foreign
)
"""One piece of a turn."""


class Turn(Struct, frozen=True, kw_only=True):
    """What one side says at once. `name` tells speakers of the same role apart.

    `id` is what a dialect calls it (Responses' items have ids). `hints` is as in `ToolCall`.
    """

    role: Role
    parts: tuple[Part, ...]
    name: str | None = None
    id: str | None = None
    hints: Raw = Raw(b"")


class Tool(Struct, frozen=True, kw_only=True):
    """A function that the model may ask to be called. `parameters` is a JSON Schema.

    `strict` asks that the arguments satisfy it; None: as the dialect does by default. `custom`
    takes free text; `grammar` is then the JSON of what it must look like. `hints` are further
    fields that only the conversation's dialect has, by name: the tool is the same without them.
    """

    name: str
    description: str | None = None
    parameters: Raw = Raw(b"")
    strict: bool | None = None
    custom: bool = False
    grammar: Raw = Raw(b"")
    hints: dict[str, Raw] = field(default_factory=dict)
    cache: CacheMark | None = None


class ToolChoice(Struct, frozen=True, kw_only=True):
    """Whether tools are called: `auto`, `none`, `required` (any of them), or `named`.

    `names` are those that may be called; empty: all.
    """

    mode: Literal["auto", "none", "required"] = "auto"
    names: tuple[str, ...] = ()


class Format(Struct, frozen=True, kw_only=True):
    """The form of the answer: some JSON, or JSON that satisfies `schema`."""

    kind: Literal["json", "schema"]
    schema: Raw = Raw(b"")
    name: str | None = None
    description: str | None = None
    strict: bool | None = None


class Thinking(Struct, frozen=True, kw_only=True):
    """How much the model is to think first.

    `effort` is a word such as `low`; `budget` a count of tokens, 0 for none at all, -1 for as many
    as the model likes. `shown` asks for the thoughts or a summary of them; None: as the dialect
    does by default. `detail` is OpenAI's word for how long that summary is. `named` is where the
    client has written the effort, if its dialect has another place for it.
    """

    effort: str | None = None
    budget: int | None = None
    shown: bool | None = None
    detail: str | None = None
    named: str | None = None


class Sampling(Struct, frozen=True, kw_only=True):
    """How the next token is drawn. None: as the provider does by default."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: Raw = Raw(b"")


class Conversation(Struct, frozen=True, kw_only=True):
    """One request for an answer.

    `choices` is how many answers are wanted, `logprobs` whether their tokens' log-probabilities
    are, and `top_logprobs` of how many others beside them. `own` holds the fields that only
    `dialect` knows, by name: they are what a translation cannot carry. `hints` are fields as in
    `own`, but such as change nothing of the answer: they are left out elsewhere without a word.
    `cache` is a mark on the request as a whole. `user` is the caller's own id for whoever asks.
    `functions` says that the client speaks of functions, as OpenAI did before there were tools,
    and reads calls of them in that form.
    """

    dialect: str
    model: str
    turns: tuple[Turn, ...]
    tools: tuple[Tool, ...] = ()
    foreign_tools: tuple[Foreign, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tools: bool | None = None
    format: Format | None = None
    thinking: Thinking | None = None
    sampling: Sampling = Sampling()
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    choices: int = 1
    logprobs: bool = False
    top_logprobs: int | None = None
    stream: bool = False
    stream_usage: bool = False
    user: str | None = None
    metadata: Raw = Raw(b"")
    service_tier: str | None = None
    store: bool | None = None
    safety: Raw = Raw(b"")
    cache: CacheMark | None = None
    cache_key: str | None = None
    verbosity: str | None = None
    own: dict[str, Raw] = field(default_factory=dict)
    hints: dict[str, Raw] = field(default_factory=dict)
    functions: bool = False
