"""The shape of `tierwise.yaml`. Everything that a user may write, and nothing else."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from tierwise.config.dashboard import DashboardConfig
from tierwise.config.guarding import GuardrailConfig
from tierwise.config.origin import Origin
from tierwise.config.section import Section as _Section
from tierwise.types import CAPABILITIES, DOMAINS, WAIT_S, OnStreamBreak, Priority, Streams
from tierwise.wire.features import Feature

# YAML reads an `off` without quotes as false.
CacheMode = Annotated[
    Literal["off", "exact", "semantic"],
    BeforeValidator(lambda value: "off" if value is False else value),
]
OnVoid = Literal["reference", "stricter"]
"""What is done when a certificate no longer holds: the reference answers, or less is accepted."""

Fraction = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Usd = Annotated[float, Field(ge=0)]


class LimitsConfig(_Section):
    """How much may be asked for; no limit where none is written."""

    rpm: float | None = Field(None, gt=0, le=1e9, description="Requests a minute.")
    tpm: float | None = Field(
        None, gt=0, le=1e12, description="Tokens a minute, of prompts and answers together."
    )
    concurrency: int | None = Field(None, gt=0, le=1_000_000, description="Calls at a time.")


class KeyConfig(_Section):
    """A key that clients may use, with a name and with bounds of its own."""

    key: SecretStr
    name: str | None = Field(
        None, min_length=1, max_length=100, description="What the ledger calls its holder."
    )
    priority: Priority | None = Field(
        None, description="Of its requests; also the highest that they may ask for."
    )
    limits: LimitsConfig | None = Field(
        None, description="Those of `server.limits` where none is written here."
    )
    admin: bool = Field(
        False, description="May drain and restore deployments, and reload the configuration."
    )


class TlsConfig(_Section):
    """Encryption of what clients send and get; files in PEM. Renewed files are used at once."""

    certificate: str = Field(min_length=1, description="With the chain behind it.")
    key: str = Field(min_length=1)
    key_password: SecretStr | None = None
    client_ca: str | None = Field(
        None,
        min_length=1,
        description="Who signs certificates of clients; only those who have one are let in.",
    )


class ServerConfig(_Section):
    """Where the gateway listens and whom it lets in."""

    host: str = "127.0.0.1"
    port: int = Field(4100, ge=0, le=65_535)
    tls: TlsConfig | None = None
    trusted_proxies: list[str] = Field(
        default_factory=list,
        description="Addresses or networks of proxies whose `x-forwarded-for` and "
        "`x-forwarded-proto` are believed, such as 10.0.0.0/8.",
    )
    api_keys: list[SecretStr | KeyConfig] = Field(
        default_factory=list,
        description="Keys that clients may use. Without any, only loopback is served.",
    )
    limits: LimitsConfig | None = Field(
        None, description="Of each key by itself; without keys, of all requests together."
    )
    max_requests: int = Field(
        4096, ge=1, le=1_000_000, description="Requests answered at a time, by each worker."
    )
    max_waiting: int = Field(
        1024, ge=0, le=1_000_000, description="Requests that may wait for that, by each worker."
    )
    max_wait_s: float = Field(10.0, ge=0, le=3600, description="How long one may wait for that.")
    max_body_mb: float = Field(32, gt=0, le=1024, description="Largest request body, in MiB.")
    max_upload_mb: float = Field(
        512,
        gt=0,
        le=1_048_576,
        description="Largest body that is passed through to a provider, in MiB.",
    )
    passthrough: list[str] = Field(
        default_factory=list,
        description="Providers to which clients may send anything under /passthrough/NAME/, with "
        "the provider's key.",
    )
    cors_origins: list[str] = Field(
        default_factory=list,
        description="Origins of web pages that may ask, such as https://example.org; `*`: all.",
    )
    grace_s: float = Field(30, ge=0, le=3600, description="Time for open requests at shutdown.")
    log_format: Literal["text", "json"] = Field(
        "text", description="What lines of the log are; TIERWISE_LOG_FORMAT says otherwise."
    )
    access_log: bool = Field(False, description="A line in the log for every request.")

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: list[str]) -> list[str]:
        for network in value:
            try:
                ipaddress.ip_network(network)
            except ValueError:
                raise ValueError(
                    f"{network!r} is no address or network; write 10.1.2.3 or 10.0.0.0/8"
                ) from None
        return value


class TimeoutsConfig(_Section):
    """Seconds to wait for each stage of a call to a provider."""

    connect: Seconds = 5.0
    first_token: Seconds = 60.0
    between_tokens: Seconds = 30.0
    total: Seconds = 300.0
    slow: Seconds | None = Field(
        None,
        description="A first token, or a whole answer, after longer counts as slow: a deployment "
        "whose calls are mostly slow is left alone for a while. Ends no call.",
    )


class ServedModel(_Section):
    """A model at a provider, where its name there or its weight differ from the default."""

    model: str
    upstream: str | None = None
    weight: float = Field(1.0, gt=0, le=1e6, description="Share of the calls among its siblings.")
    region: str | None = None
    limits: LimitsConfig | None = Field(
        None, description="The provider's where none is written here."
    )


class AwsConfig(_Section):
    """What is particular to AWS. Credentials, where they are not to come from where its own tools
    look: environment, files, the role of the container or the machine."""

    profile: str | None = Field(None, min_length=1, description="Of ~/.aws/config.")
    access_key_id: SecretStr | None = None
    secret_access_key: SecretStr | None = None
    session_token: SecretStr | None = None
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
    dialect: str | None = None
    base_url: str | None = None
    api_key: SecretStr | None = None
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    region: str | None = None
    project: str | None = Field(
        None, pattern=r"^[a-z0-9][a-z0-9.:-]*$", description="Of Google Cloud, for Vertex AI."
    )
    location: str | None = Field(
        None,
        pattern=r"^[a-z][a-z0-9-]*$",
        description="Of Vertex AI, such as `europe-west4`; `global` unless written.",
    )
    aws: AwsConfig | None = None
    timeouts: TimeoutsConfig | None = None
    limits: LimitsConfig | None = Field(None, description="Of each of its models by itself.")
    quirks: list[str] | None = None
    lacks: list[Feature] | None = Field(
        None, description="What it does not take of what its dialect can say: see docs/dialects.md."
    )
    models: list[str | ServedModel] = Field(default_factory=list, min_length=1)
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

    input: Usd
    output: Usd
    cached_input: Usd | None = None
    cache_write: Usd | None = None


class ModelConfig(_Section):
    """Facts about a model that the catalogue does not know or has otherwise."""

    prices: PricesConfig | None = None
    quality: Fraction | None = None
    family: str | None = None
    context_window: int | None = Field(None, gt=0)
    max_output_tokens: int | None = Field(None, gt=0)
    capabilities: list[str] | None = None
    specialises: list[str] | None = None

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

    model: str
    accept: Fraction = 0.5
    gates: list[str] | None = None


class WeightsConfig(_Section):
    """What counts against a model beside the quality that it lacks."""

    cost: float = Field(1.0, ge=0, le=1000, description="Multiplies costs; 0 leaves them out.")
    latency: float = Field(
        0.0, ge=0, le=1000, description="What one second of waiting is worth, in USD."
    )


class PolicyConfig(_Section):
    """What callers of this policy get. Clients name a policy where they would name a model."""

    reference: str | None = Field(None, description="Model that quality and saving refer to.")
    quality: Fraction = Field(0.95, description="Fraction of the reference's quality to reach.")
    max_cost_usd: float | None = Field(None, gt=0, description="Per request.")
    max_latency_s: float | None = Field(
        None, gt=0, description="Of the whole answer, as expected, in seconds."
    )
    weights: WeightsConfig = Field(default_factory=WeightsConfig)
    allow: list[str] = Field(default_factory=list, description="Only these models or providers.")
    deny: list[str] = Field(
        default_factory=list, description="Never these models, providers or regions."
    )
    regions: list[str] = Field(default_factory=list, description="Only deployments in these.")
    tiers: list[TierConfig] = Field(default_factory=list, description="Pins the plan by hand.")
    gates: list[str] = Field(default_factory=lambda: ["complete", "json_schema"])
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
    deadline_s: Seconds = 600.0
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


class CacheConfig(_Section):
    """Answers that are kept, and given again to whoever asks the same."""

    mode: CacheMode = Field(
        "off",
        description="`exact` for requests that are the same, `semantic` also for those that mean "
        "the same; never across organisations or keys. A policy may say otherwise.",
    )
    ttl_s: float = Field(3600, gt=0, le=31_536_000, description="How long an answer is kept.")
    max_mb: float = Field(64, gt=0, le=1_048_576, description="Of all answers, by each worker.")
    max_answer_mb: float = Field(1, gt=0, le=1024, description="Of one answer.")
    similarity: Fraction = Field(
        0.97,
        description="How alike two prompts must be to mean the same (cosine of their vectors): see "
        "`tierwise likeness`.",
    )


class TelemetryConfig(_Section):
    """Where traces and metrics are sent by OpenTelemetry's protocol; nowhere without an endpoint.

    What is not written here is taken from OpenTelemetry's own variables, such as
    OTEL_EXPORTER_OTLP_ENDPOINT.
    """

    otlp_endpoint: str | None = Field(
        None,
        pattern=r"^https?://",
        description="Of a collector, for OTLP over HTTP, such as http://localhost:4318; "
        "`/v1/traces` and `/v1/metrics` are added.",
    )
    headers: dict[str, SecretStr] = Field(
        default_factory=dict, description="Sent along, such as a key of the collector."
    )
    traces: bool = True
    metrics: bool = True
    sample: Fraction | None = Field(
        None, description="The share of traces that are sent, where their callers do not say; 1."
    )
    service_name: str | None = Field(None, min_length=1, description="`tierwise` unless written.")
    content: bool = Field(
        False, description="Prompts and answers, too; needs `ledger.store_content`."
    )


class LedgerConfig(_Section):
    """Where the record of every request is kept."""

    path: str = Field(
        "tierwise.db",
        description="A SQLite file. What is known of void certificates is kept beside it, with "
        "`url` too.",
    )
    url: SecretStr | None = Field(
        None,
        description="A PostgreSQL database in place of the file, which any number of gateways may "
        "share: postgresql://user:password@host:5432/name. Needs the extra `postgres`.",
    )
    store_content: bool = Field(False, description="Keep prompts and answers too.")
    queue_size: int = Field(10_000, ge=100, le=1_000_000)

    @property
    def place(self) -> str:
        """Where the ledger is: a file, or a URL that may hold a password."""
        return self.path if self.url is None else self.url.get_secret_value()

    @field_validator("url")
    @classmethod
    def _of_postgresql(cls, value: SecretStr | None) -> SecretStr | None:
        scheme = "" if value is None else value.get_secret_value().partition("://")[0]
        if value is not None and scheme not in ("postgresql", "postgres", "postgresql+psycopg"):
            raise ValueError("this must be the URL of a PostgreSQL database: postgresql://...")
        return value


class AccountsConfig(_Section):
    """Organisations, teams, users, keys and budgets in the ledger's database."""

    enabled: bool = Field(
        False,
        description="Keys of the database are let in beside those of `server.api_keys`, and nobody "
        "without one. See docs/accounts.md.",
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


class StateConfig(_Section):
    """Where replicas share what they count: Redis or Valkey. Without it each counts by itself."""

    url: SecretStr | None = Field(
        None, description="redis://host:6379/0, rediss:// for TLS, or unix:///path."
    )
    password: SecretStr | None = Field(None, description="Where it is not part of the URL.")
    ca_file: str | None = Field(
        None,
        min_length=1,
        description="Who may have signed its certificate, in PEM, where the system does not know.",
    )
    prefix: str = Field(
        "tierwise:", max_length=100, description="Of all keys there; one for each set of replicas."
    )
    timeout_s: float = Field(
        0.25, gt=0, le=10, description="How long one request may wait for it, in all."
    )

    @field_validator("url")
    @classmethod
    def _is_redis(cls, url: SecretStr | None) -> SecretStr | None:
        known = ("redis://", "rediss://", "unix://")
        if url is not None and not url.get_secret_value().startswith(known):
            raise ValueError(f"it must begin with one of {', '.join(known)}")
        return url

    @model_validator(mode="after")
    def _is_used(self) -> Self:
        url = self.url.get_secret_value() if self.url is not None else ""
        if self.ca_file is not None and not url.startswith("rediss://"):
            raise ValueError("`ca_file` is for TLS; write `url: rediss://...`, or leave it out")
        return self


class Config(_Section):
    """`tierwise.yaml`."""

    server: ServerConfig = Field(default_factory=ServerConfig)
    providers: dict[str, ProviderConfig] = Field(min_length=1)
    models: dict[str, ModelConfig] = Field(default_factory=dict)
    policies: dict[str, PolicyConfig] = Field(default_factory=dict)
    router: RouterConfig = Field(default_factory=RouterConfig)
    cache: CacheConfig = Field(default_factory=CacheConfig)
    guardrails: dict[str, GuardrailConfig] = Field(default_factory=dict)
    ledger: LedgerConfig = Field(default_factory=LedgerConfig)
    state: StateConfig = Field(default_factory=StateConfig)
    accounts: AccountsConfig = Field(default_factory=AccountsConfig)
    telemetry: TelemetryConfig = Field(default_factory=TelemetryConfig)
    dashboard: DashboardConfig = Field(default_factory=DashboardConfig)
    timeouts: TimeoutsConfig = Field(default_factory=TimeoutsConfig)
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
    return Config.model_json_schema()
