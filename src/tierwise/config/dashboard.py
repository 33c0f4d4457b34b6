"""The section `dashboard` of `tierwise.yaml`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from tierwise.config.section import Section

DashboardRole = Literal["operator", "admin", "member", "viewer"]


class OidcConfig(Section):
    """Login by a provider of OpenID Connect."""

    issuer: str = Field(
        pattern=r"^https?://", description="Where `/.well-known/openid-configuration` is found."
    )
    client_id: str = Field(min_length=1, description="Of this gateway, at that provider.")
    client_secret: SecretStr = Field(description="As ${VARIABLE} or ${file:PATH}.")
    redirect_url: str | None = Field(
        None,
        pattern=r"^https?://",
        description="Of this gateway as the provider knows it: the address of the dashboard, then "
        "/dashboard/oidc/callback. Needed behind a proxy.",
    )
    scopes: list[str] = Field(
        default_factory=lambda: ["openid", "email", "profile"],
        description="What the provider is asked for.",
    )
    allowed_domains: list[str] = Field(
        default_factory=list, description="Of addresses; nobody else is let in by a claim."
    )
    roles_claim: str | None = Field(
        None, min_length=1, description="The claim that `roles` are looked up by, such as `groups`."
    )
    roles: dict[str, DashboardRole] = Field(
        default_factory=dict, description="What each value of the claim makes of somebody."
    )
    default_role: DashboardRole | None = Field(
        None, description="Of who is known to neither accounts nor `roles`; without, refused."
    )
    models: list[str] = Field(
        default_factory=list,
        description="What all but operators may ask, as of a key: in the playground, and by keys "
        "that they make as members. Empty: all.",
    )
    policies: list[str] = Field(
        default_factory=list, description="As `models`; each list bounds its own kind."
    )


class DashboardConfig(Section):
    """The pages at `/`."""

    enabled: bool = Field(True, description="Whether there are any.")
    session_hours: float = Field(12.0, gt=0, le=720, description="How long a login lasts.")
    session_secret: SecretStr | None = Field(
        None,
        min_length=32,
        description="What sessions are signed with: the same for all replicas. Without, a new one "
        "at each start.",
    )
    oidc: OidcConfig | None = Field(None, description="Who else may sign in.")
