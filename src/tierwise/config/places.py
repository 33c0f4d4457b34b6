"""Where a provider is reached: its dialect, base URL and region."""

from __future__ import annotations

from msgspec import Struct

from tierwise.config.presets import Preset
from tierwise.config.schema import ProviderConfig
from tierwise.errors import ConfigError

VERTEX = "vertex"
_MULTI_REGIONS = frozenset({"us", "eu"})


class Place(Struct, frozen=True):
    """Where calls go, and in which dialect."""

    dialect: str
    base_url: str
    region: str | None


def place_of(name: str, provider: ProviderConfig, preset: Preset) -> Place:
    """Where the provider that is called `name` is.

    Raises:
        ConfigError: it needs to be told more, or was told what it has no use for.
    """
    dialect = provider.dialect or preset.dialect
    if dialect != VERTEX:
        for field in ("project", "location"):
            if getattr(provider, field) is not None:
                raise ConfigError(
                    f"{getattr(provider, field)!r} is of no use to the dialect {dialect!r}",
                    field=f"providers.{name}.{field}",
                    remedy="Leave it out, or set `preset: vertex`.",
                )
        return Place(dialect, provider.base_url or preset.base_url, provider.region)
    location = provider.location or provider.region or "global"
    region = provider.region or provider.location
    if provider.base_url is not None:
        return Place(dialect, provider.base_url, region)
    if provider.project is None:
        if provider.api_key is None:
            raise ConfigError(
                "Vertex AI is asked for a project, and none is known",
                field=f"providers.{name}.project",
                remedy="Add it, for example `project: my-project`; or `api_key` of express mode.",
            )
        return Place(dialect, preset.base_url, region)
    url = f"https://{_host(location)}/v1beta1/projects/{provider.project}/locations/{location}"
    return Place(dialect, url, region)


def _host(location: str) -> str:
    """The host that serves a location of Vertex AI.

    cloud.google.com/vertex-ai/generative-ai/docs/learn/locations
    """
    if location == "global":
        return "aiplatform.googleapis.com"
    if location in _MULTI_REGIONS:
        return f"aiplatform.{location}.rep.googleapis.com"
    return f"{location}-aiplatform.googleapis.com"
