"""Models, what they cost, and where they are served."""

from __future__ import annotations

from msgspec import Struct

from tierwise.types.words import Capability, Domain


class Prices(Struct, frozen=True, kw_only=True):
    """List prices in USD per million tokens. Reasoning tokens are billed as output."""

    input: float
    output: float
    cached_input: float | None = None
    cache_write: float | None = None


class Model(Struct, frozen=True, kw_only=True):
    """A catalogue entry.

    `quality` is a prior for the share of everyday tasks that the model does well, from public
    scores; learned predictors overrule it where there is data. `known` says that its capabilities
    are facts: what it lacks of them it cannot do, and not only was not said to.
    """

    id: str
    prices: Prices
    family: str = ""
    quality: float = 0.5
    context_window: int = 128_000
    max_output_tokens: int | None = None
    capabilities: frozenset[Capability] = frozenset()
    specialises: frozenset[Domain] = frozenset()
    known: bool = False


class Timeouts(Struct, frozen=True, kw_only=True):
    """How long to wait, in seconds, for each stage of an upstream call.

    `slow` ends no call: a first token, or a whole answer, that takes longer counts as slow.
    """

    connect: float = 5.0
    first_token: float = 60.0
    between_tokens: float = 30.0
    total: float = 300.0
    slow: float | None = None


class Limits(Struct, frozen=True, kw_only=True):
    """How much may be asked for: requests and tokens a minute, calls at a time; None: no limit.

    Tokens are those of prompts and answers together.
    """

    rpm: float | None = None
    tpm: float | None = None
    concurrency: int | None = None


class Aws(Struct, frozen=True, kw_only=True):
    """Credentials for AWS: keys, else a profile of AWS's own files. `repr` hides the keys.

    `guardrail` is the one of Bedrock's, as `identifier:version`, that all answers go through.
    """

    access_key_id: str | None = None
    secret_access_key: str | None = None
    session_token: str | None = None
    profile: str | None = None
    guardrail: str | None = None

    @property
    def says_who(self) -> bool:
        """Whether it names credentials."""
        return self.access_key_id is not None or self.profile is not None

    def __repr__(self) -> str:
        return f"Aws(profile={self.profile!r})"


class Deployment(Struct, frozen=True, kw_only=True):
    """One place where a model is served.

    `upstream_model` is the provider's own name of the model; `prices` are what it costs here.
    `max_output_tokens` is the longest answer that it gives, None where unknown. `api_key` never
    leaves the process except in the call itself; `repr` hides it. `lacks` are features of requests
    (`wire.features`) that it does not take, though its dialect has words for them. `aws` is what is
    configured for AWS; without, its own tools' places are looked at.
    """

    id: str
    model: str
    provider: str
    dialect: str
    base_url: str
    upstream_model: str
    prices: Prices
    max_output_tokens: int | None = None
    api_key: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    region: str | None = None
    weight: float = 1.0
    timeouts: Timeouts = Timeouts()
    limits: Limits = Limits()
    quirks: frozenset[str] = frozenset()
    lacks: frozenset[str] = frozenset()
    aws: Aws | None = None

    def __repr__(self) -> str:
        return f"Deployment({self.id!r}, model={self.model!r}, base_url={self.base_url!r})"
