"""The sections about what is kept and told: `cache`, `ledger`, `accounts`, `state`, `telemetry`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from tierwise.config.section import Fraction
from tierwise.config.section import Section as _Section

# YAML reads an `off` without quotes as false.
CacheMode = Annotated[
    Literal["off", "exact", "semantic"],
    BeforeValidator(lambda value: "off" if value is False else value),
    WithJsonSchema({"enum": ["off", "exact", "semantic", False]}),
]


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
    shared_max_mb: float = Field(
        256,
        ge=0,
        le=1_048_576,
        description="Of all answers in Redis, where `state.url` is set; 0 keeps none there.",
    )
    shared_max_mb_each: float = Field(
        64, gt=0, le=1_048_576, description="Of those of one organisation, or key without accounts."
    )
    similarity: Fraction = Field(
        0.97,
        description="How alike two prompts must be to mean the same (cosine of their vectors): see "
        "`tierwise likeness`.",
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
    keep_days: float | None = Field(
        None,
        ge=1,
        le=36_500,
        description="Rows and records that are older are taken out by themselves; what they added "
        "up to stays. All are kept unless it is written. See docs/storage.md.",
    )
    queue_size: int = Field(
        10_000,
        ge=100,
        le=1_000_000,
        description="Records that may wait to be written, in each worker; more are dropped.",
    )

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

    @model_validator(mode="after")
    def _is_kept(self) -> Self:
        if self.keep_days is not None and self.url is None and self.path == ":memory:":
            raise ValueError("`keep_days` is for a ledger on disk; name a `path` or a `url`")
        return self


class AccountsConfig(_Section):
    """Organisations, teams, users, keys and budgets in the ledger's database."""

    enabled: bool = Field(
        False,
        description="Keys of the database are let in beside those of `server.api_keys`, and nobody "
        "without one. See docs/accounts.md.",
    )


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
    traces: bool = Field(True, description="Whether spans are sent.")
    metrics: bool = Field(True, description="Whether metrics are sent; /metrics has them anyway.")
    sample: Fraction | None = Field(
        None, description="The share of traces that are sent, where their callers do not say; 1."
    )
    service_name: str | None = Field(None, min_length=1, description="`tierwise` unless written.")
    content: bool = Field(
        False, description="Prompts and answers, too; needs `ledger.store_content`."
    )

    @field_validator("otlp_endpoint")
    @classmethod
    def _without_a_password(cls, value: str | None) -> str | None:
        if value is not None and "@" in value.partition("://")[2].partition("/")[0]:
            raise ValueError(
                "a name and a password are not sent from a URL; write `headers: {authorization: "
                '"Basic ${BASE64}"}`'
            )
        return value

    older_names: bool = Field(
        True,
        description="Metrics that the conventions have renamed since version 1.41 are sent by the "
        "name that they had then as well.",
    )
