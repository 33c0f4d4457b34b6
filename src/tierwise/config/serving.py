"""The section `server`: where the gateway listens, and whom it lets in."""

from __future__ import annotations

import ipaddress
import re
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from tierwise.config.section import Section as _Section
from tierwise.types import Priority

_ORIGIN = re.compile(r"^[a-z][a-z0-9+.-]*://[^/\s]+$")
"""As browsers send it: any other would never be met."""


class LimitsConfig(_Section):
    """How much may be asked for; no limit where none is written."""

    rpm: float | None = Field(None, gt=0, le=1e9, description="Requests a minute.")
    tpm: float | None = Field(
        None, gt=0, le=1e12, description="Tokens a minute, of prompts and answers together."
    )
    concurrency: int | None = Field(None, gt=0, le=1_000_000, description="Calls at a time.")


Use = Literal["metrics"]
"""What a key may be good for alone."""


class KeyConfig(_Section):
    """A key that clients may use, with a name and with bounds of its own."""

    key: SecretStr = Field(description="As ${VARIABLE} or ${file:PATH}.")
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
    only: list[Use] | None = Field(
        None,
        min_length=1,
        description="What it is good for, and nothing else: `metrics` is GET /metrics. Everything "
        "where nothing is written.",
    )


class TlsConfig(_Section):
    """Encryption of what clients send and get; files in PEM. Renewed files are used at once."""

    certificate: str = Field(min_length=1, description="With the chain behind it.")
    key: str = Field(min_length=1, description="The certificate's private key.")
    key_password: SecretStr | None = Field(None, description="Where the key is encrypted.")
    client_ca: str | None = Field(
        None,
        min_length=1,
        description="Who signs certificates of clients; only those who have one are let in.",
    )


class ServerConfig(_Section):
    """Where the gateway listens and whom it lets in."""

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0: all of them.")
    port: int = Field(4100, ge=0, le=65_535, description="0: any that is free.")
    tls: TlsConfig | None = Field(None, description="HTTPS, without a proxy before it.")
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
    notice_s: float = Field(
        0,
        ge=0,
        le=600,
        description="How long a gateway that is to stop is not ready and goes on answering all the "
        "same, so that load balancers have time to notice; `grace_s` begins then.",
    )
    grace_s: float = Field(30, ge=0, le=3600, description="Time for open requests at shutdown.")
    log_format: Literal["text", "json"] = Field(
        "text", description="What lines of the log are; TIERWISE_LOG_FORMAT says otherwise."
    )
    access_log: bool = Field(False, description="A line in the log for every request.")

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: list[str]) -> list[str]:
        for origin in value:
            if origin not in ("*", "null") and not _ORIGIN.match(origin):
                raise ValueError(
                    f"{origin!r} is no origin; write https://example.org, with the port if it has "
                    "one, and nothing behind it"
                )
        return value

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
