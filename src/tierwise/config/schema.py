"""The shape of `tierwise.yaml`. Everything that a user may write, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    Field,
    PrivateAttr,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from tierwise.config.dashboard import DashboardConfig
from tierwise.config.editing import for_editors
from tierwise.config.guarding import GuardrailConfig
from tierwise.config.keeping import (
    AccountsConfig,
    CacheConfig,
    CacheMode,
    LedgerConfig,
    StateConfig,
    TelemetryConfig,
)
from tierwise.config.origin import Origin
from tierwise.config.section import Fraction, Seconds, Usd
from tierwise.config.section import Section as _Section
from tierwise.config.serving import LimitsConfig, ServerConfig
from tierwise.types import CAPABILITIES, DOMAINS, WAIT_S, OnStreamBreak, Streams
from tierwise.wire.features import Feature

OnVoid = Literal["reference", "stricter"]
"""What is done when a certificate no longer holds: the reference answers, or less is accepted."""


class TimeoutsConfig(_Section):
    """Seconds to wait for each stage of a call to a provider."""

    connect: Seconds = Field(5.0, description="Until there is a connection.")
    first_token: Seconds = Field(60.0, description="Until a stream's first token.")
    between_tokens: Seconds = Field(30.0, description="Without anything new in a stream.")
    total: Seconds = Field(300.0, description="Until an answer is whole.")
    slow: Seconds | None = Field(
        None,
        description="A first token, or a whole answer, after longer counts as slow: a deployment "
        "whose calls are mostly slow is left alone for a while. Ends no call.",
    )


class ServedModel(_Section):
    """A model at a provider, where its name there or its weight differ from the default."""

    model: str = Field(description="Its name here, as the catalogue has it or `models`.")
    upstream: str | None = Field(None, description="Its name there; the same unless written.")
    weight: float = Field(1.0, gt=0, le=1e6, description="Share of the calls among its siblings.")
    region: str | None = Field(
        None, description="For `regions` and `deny` of policies; the provider's unless written."
    )
    limits: LimitsConfig | None = Field(
        None, description="The provider's where none is written here."
    )


class AwsConfig(_Section):
    """What is particular to AWS. Credentials, where they are not to come from where its own tools
    look: environment, files, the role of the container or the machine."""

    profile: str | None = Field(None, min_length=1, description="Of ~/.aws/config.")
    access_key_id: SecretStr | None = Field(None, description="Together with its secret.")
    secret_access_key: SecretStr | None = Field(None, description="The secret of that.")
    session_token: SecretStr | None = Field(None, description="Of keys that are for a while.")
    guardrail: str | None = Field(
        None,
        pattern=r"^.+:([0-9]+|DRAFT)$",
        description="Of Bedrock, as `identifier:version`: what all of its answers go through.",
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("`access_key_id` and `secret_access_key` go together; add the other")
        if self.profile is not None and self.access_key_id is not None:
            raise ValueError("give either `profile` or keys, not both")
        return self


class ProviderConfig(_Section):
    """One account or server that serves models."""

    preset: str | None = Field(None, description="Defaults to the provider's own name.")
    dialect: str | None = Field(
        None, description="How it is spoken to; the preset's unless written."
    )
    base_url: str | None = Field(None, description="Where it is; the preset's unless written.")
    api_key: SecretStr | None = Field(
        None, description="As ${VARIABLE} or ${file:PATH}; some providers need none."
    )
    headers: dict[str, SecretStr] = Field(
        default_factory=dict, description="Sent along with every call; never shown."
    )
    region: str | None = Field(
        None, description="Where its models are, for policies; of Bedrock, the one of AWS."
    )
    project: str | None = Field(
        None, pattern=r"^[a-z0-9][a-z0-9.:-]*$", description="Of Google Cloud, for Vertex AI."
    )
    location: str | None = Field(
        None,
        pattern=r"^[a-z][a-z0-9-]*$",
        description="Of Vertex AI, such as `europe-west4`; `global` unless written.",
    )
    aws: AwsConfig | None = Field(None, description="For Bedrock.")
    timeouts: TimeoutsConfig | None = Field(
        None, description="Instead of `timeouts` of the whole configuration."
    )
    limits: LimitsConfig | None = Field(None, description="Of each of its models by itself.")
    quirks: list[str] | None = Field(
        None, description="What is peculiar about it; the preset's unless written."
    )
    lacks: list[Feature] | None = Field(
        None, description="What it does not take of what its dialect can say: see docs/dialects.md."
    )
    models: list[str | ServedModel] = Field(
        default_factory=list, min_length=1, description="Models that it serves."
    )
    embeddings: list[str | ServedModel] = Field(
        default_factory=list, description="Models that give vectors, for /v1/embeddings."
    )

    @model_validator(mode="after")
    def _serves(self) -> Self:
        if not (self.models or self.embeddings):
            raise ValueError("no model is listed; add one to `models`, or to `embeddings`")
        return self


class PricesConfig(_Section):
    """USD per million tokens."""

    input: Usd = Field(description="Of the prompt.")
    output: Usd = Field(description="Of the answer, with what is thought.")
    cached_input: Usd | None = Field(
        None, description="Of a prompt that the provider had; `input` unless written."
    )
    cache_write: Usd | None = Field(
        None, description="Of a prompt that the provider keeps; `input` unless written."
    )


class ModelConfig(_Section):
    """Facts about a model that the catalogue does not know or has otherwise."""

    prices: PricesConfig | None = Field(None, description="Of every place that serves it.")
    quality: Fraction | None = Field(
        None, description="How good its answers are, as long as nothing was learned of it."
    )
    family: str | None = Field(None, description="Whose it is, in lists of models.")
    context_window: int | None = Field(None, gt=0, description="Tokens of prompt and answer.")
    max_output_tokens: int | None = Field(None, gt=0, description="Tokens of an answer.")
    capabilities: list[str] | None = Field(
        None, description="What it can do, such as tools, vision, json_schema or reasoning."
    )
    specialises: list[str] | None = Field(
        None, description="Domains that it is better at, such as code, finance or legal."
    )

    @field_validator("capabilities")
    @classmethod
    def _known_capabilities(cls, value: list[str] | None) -> list[str] | None:
        return _all_known(value, CAPABILITIES)

    @field_validator("specialises")
    @classmethod
    def _known_domains(cls, value: list[str] | None) -> list[str] | None:
        return _all_known(value, DOMAINS)


def _all_known(value: list[str] | None, known: frozenset[str]) -> list[str] | None:
    unknown = sorted(set(value or ()) - known)
    if unknown:
        raise ValueError(f"{', '.join(unknown)} unknown; use any of {', '.join(sorted(known))}")
    return value


class TierConfig(_Section):
    """One pinned tier of a policy."""

    model: str = Field(description="Who answers in this tier.")
    accept: Fraction = Field(
        0.5, description="P(acceptable) from which its answer is good enough; not of the last tier."
    )
    gates: list[str] | None = Field(None, description="Instead of those of the policy.")


class WeightsConfig(_Section):
    """What counts against a model beside the quality that it lacks."""

    cost: float = Field(1.0, ge=0, le=1000, description="Multiplies costs; 0 leaves them out.")
    latency: float = Field(
        0.0, ge=0, le=1000, description="What one second of waiting is worth, in USD."
    )


class PolicyConfig(_Section):
    """What callers of this policy get. Clients name a policy where they would name a model."""

    reference: str | None = Field(
        None,
        description="Model that quality and saving refer to; the best one that is configured "
        "unless written.",
    )
    quality: Fraction = Field(0.95, description="Fraction of the reference's quality to reach.")
    max_cost_usd: float | None = Field(None, gt=0, description="Per request.")
    max_latency_s: float | None = Field(
        None, gt=0, description="Of the whole answer, as expected, in seconds."
    )
    weights: WeightsConfig = Field(
        default_factory=WeightsConfig, description="What costs and waiting count for."
    )
    allow: list[str] = Field(default_factory=list, description="Only these models or providers.")
    deny: list[str] = Field(
        default_factory=list, description="Never these models, providers or regions."
    )
    regions: list[str] = Field(default_factory=list, description="Only deployments in these.")
    tiers: list[TierConfig] = Field(
        default_factory=list, min_length=1, description="Pins the plan by hand."
    )
    gates: list[str] = Field(
        default_factory=lambda: ["complete", "json_schema"],
        description="Who judges answers, `complete` and `json_schema` unless written: see "
        "docs/gates.md. Your own as `module:function`.",
    )
    fallbacks: list[str] = Field(default_factory=list, description="Tried in this order on errors.")
    judge: str | None = Field(None, description="Model that the gate `judge` asks.")
    second: str | None = Field(
        None, description="Model that the gate `agreement` asks; a cheap one unless named."
    )
    rubric: str = Field("", max_length=4000, description="What the judge is to look at, too.")
    probe_share: Fraction = Field(
        0.1, description="Share of the requests' cost that asking other models may take."
    )
    hand_over: bool = Field(False, description="Shows a rejected draft to the next tier.")
    streams: Streams = Field(
        "held", description="Gates see a stream whole, its beginning, or nothing of it."
    )
    hold_s: Seconds = Field(60.0, description="A held stream is let go after this long.")
    on_stream_break: OnStreamBreak = Field(
        "continue",
        description="When a stream breaks that was seen in part, another model goes on, or it "
        "ends with an error.",
    )
    deadline_s: Seconds = Field(
        600.0, description="After this long a request ends, whatever was tried."
    )
    wait_s: float = Field(
        WAIT_S,
        ge=0,
        le=3600,
        description="How long a request waits for a path to come back when none is open.",
    )
    hedge: bool = Field(
        False,
        description="Asks a second deployment when the first is slower than in 95 of 100 calls.",
    )
    drop_unsupported: bool = Field(
        False,
        description="Leaves parameters out that a provider has no words for, rather than refuse.",
    )
    cache: CacheMode | None = Field(None, description="Instead of `cache.mode`.")
    guardrails: list[str] = Field(
        default_factory=list, description="Those that look at its requests and answers."
    )
    certificate: str | None = Field(
        None, description="A file of `tierwise calibrate`; its thresholds replace `accept`."
    )
    on_void: OnVoid = Field(
        "reference",
        description="When the certificate no longer holds, the reference answers, or a tier must "
        "reach half-way from the certified threshold to 1.",
    )


SHIPPED, NONE = "default", "none"
"""Values of `router.artifact` that are no file: the router that ships, and no router."""
SHIPPED_FILE = Path(__file__).parents[1] / "routing" / "default.npz"
"""The router that ships; docs/router-card.md says what is in it."""


class RouterConfig(_Section):
    """What quality is predicted by."""

    artifact: str = Field(
        SHIPPED,
        min_length=1,
        description="`default`: the router that ships, used where several models are configured; "
        "`none`: rules and the catalogue's priors; else a file of `tierwise train`.",
    )
    shadow_prices: bool = Field(
        True,
        description="Models that are wanted more than they can take get a price, so that tasks "
        "that lose least go elsewhere, and those that lose much wait for a place; without, first "
        "come, first served.",
    )

    @property
    def file(self) -> Path | None:
        """Where the router is, None if rules decide."""
        if self.artifact == NONE:
            return None
        return SHIPPED_FILE if self.artifact == SHIPPED else Path(self.artifact)


class Config(_Section):
    """`tierwise.yaml`."""

    server: ServerConfig = Field(
        default_factory=ServerConfig, description="Where it listens, and who is let in."
    )
    providers: dict[str, ProviderConfig] = Field(
        min_length=1, description="Accounts and servers that have models, by names of your choice."
    )
    models: dict[str, ModelConfig] = Field(
        default_factory=dict, description="Facts that the catalogue lacks or has otherwise."
    )
    policies: dict[str, PolicyConfig] = Field(
        default_factory=dict,
        description="What callers may ask for as if it were a model; auto, economy and best exist.",
    )
    router: RouterConfig = Field(
        default_factory=RouterConfig,
        description="Who predicts quality, and whether scarcity has a price.",
    )
    cache: CacheConfig = Field(
        default_factory=CacheConfig, description="Answers that are kept and given again."
    )
    guardrails: dict[str, GuardrailConfig] = Field(
        default_factory=dict, description="What requests and answers are looked through for."
    )
    ledger: LedgerConfig = Field(
        default_factory=LedgerConfig, description="Where every request is recorded."
    )
    state: StateConfig = Field(
        default_factory=StateConfig, description="Where several gateways count together."
    )
    accounts: AccountsConfig = Field(
        default_factory=AccountsConfig, description="Keys and budgets of teams and users."
    )
    telemetry: TelemetryConfig = Field(
        default_factory=TelemetryConfig, description="Where traces and metrics are sent."
    )
    dashboard: DashboardConfig = Field(
        default_factory=DashboardConfig, description="The pages at `/`, and who may see them."
    )
    timeouts: TimeoutsConfig = Field(
        default_factory=TimeoutsConfig, description="How long providers are waited for."
    )
    _origin: Origin = PrivateAttr(default_factory=Origin)

    @field_validator("telemetry")
    @classmethod
    def _has_content_to_tell(cls, value: TelemetryConfig, info: ValidationInfo) -> TelemetryConfig:
        ledger = info.data.get("ledger")
        if value.content and ledger is not None and not ledger.store_content:
            raise ValueError(
                "`content` sends prompts and answers, and `ledger.store_content` keeps none; set "
                "both, or neither"
            )
        return value

    @property
    def origin(self) -> Origin:
        """Where its values were written."""
        return self._origin

    def with_origin(self, origin: Origin) -> Config:
        """The same configuration, whose values were written there."""
        copy = self.model_copy()
        copy._origin = origin
        return copy


def json_schema() -> dict[str, Any]:
    """The JSON Schema of `tierwise.yaml`, for editors."""
    draft = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": draft, **for_editors(Config.model_json_schema())}
