"""Whose a call is that is passed through: images, audio, files, batches and the like.

Nothing is translated and nothing is routed, so it is one provider's: the one that is named, by
itself or in a model (`provider/model`), or the only one that can be meant.
"""

from __future__ import annotations

from msgspec import Struct, json

from tierwise.config import Setup
from tierwise.errors import InvalidRequest, UnknownProvider
from tierwise.providers.passthrough import by_provider
from tierwise.types import Deployment
from tierwise.wire.openai_chat import json_string, with_fields
from tierwise.wire.unreadable import UNREADABLE

_OPENAI = (
    "/v1/images",
    "/v1/audio",
    "/v1/moderations",
    "/v1/files",
    "/v1/uploads",
    "/v1/batches",
    "/v1/vector_stores",
    "/v1/fine_tuning",
)
_ANTHROPIC = ("/v1/messages/batches",)
_FAMILIES = {
    "anthropic": ("anthropic",),
    "openai": ("openai_compatible", "openai_responses", "azure", "mistral"),
}


class _Named(Struct):
    model: str | None = None


_decode_named = json.Decoder(_Named).decode


class Places:
    """The providers, each known by one of its deployments.

    Args:
        param: the field in which a caller names one.
        remedy: what to do, told to whoever has named none where there are several.
    """

    def __init__(self, setup: Setup, *, param: str, remedy: str) -> None:
        self._providers = by_provider(setup.everywhere())
        self._answering = by_provider(setup.all_deployments()).values()
        self._param = param
        self._remedy = remedy

    def named(self, name: str) -> Deployment:
        """The provider of that name; raises `UnknownProvider`."""
        deployment = self._providers.get(name)
        if deployment is None:
            raise UnknownProvider(
                f"There is no provider {name!r}. Use one of: {', '.join(sorted(self._providers))}.",
                param=self._param,
            )
        return deployment

    def by_model(self, body: bytes, path: str) -> tuple[Deployment, bytes]:
        """The one that the model of a JSON body names, and the body with that model's own name.

        Raises:
            UnknownProvider: it names none, and several may be meant.
        """
        model = model_in(body) or ""
        name, slash, upstream = model.partition("/")
        if slash and name in self._providers:
            return self._providers[name], with_fields(body, {"model": json_string(upstream)})
        return self.only(path), body

    def only(self, path: str) -> Deployment:
        """The one that a path can mean.

        Raises:
            UnknownProvider: there are several, or none.
        """
        family = family_of(path)
        able = [one for one in self._answering if _speaks(one, family)]
        if len({(one.base_url, one.api_key) for one in able}) == 1:
            return able[0]  # one account, be it written down twice
        names = ", ".join(sorted(one.provider for one in able)) or "none that is configured"
        raise UnknownProvider(
            f"It is not clear whose {path} is meant: {names} may have it. {self._remedy}",
            param=self._param,
        )


def model_in(body: bytes) -> str | None:
    """The model that a JSON body names; None if it names none, or cannot be read: then the provider
    says what is wrong with it."""
    try:
        return _decode_named(body).model
    except UNREADABLE:
        return None


def family_of(path: str) -> str | None:
    """Whose a path is, by its dialect; None if that cannot be told from it."""
    for family, prefixes in (("anthropic", _ANTHROPIC), ("openai", _OPENAI)):
        if any(path == one or path.startswith(one + "/") for one in prefixes):
            return family
    return None


def kind_of(path: str) -> str:
    """What a path that is passed through is about: `images`, `files`, `batches`, ...; `passthrough`
    if that cannot be told from it."""
    if family_of(path) is None:
        return "passthrough"
    return path.split("/")[3 if path.startswith(_ANTHROPIC) else 2]


def clean(path: str) -> str:
    """The path, which must not lead out of where it begins.

    Raises:
        InvalidRequest: it could.
    """
    plain_path = path.lower().replace("%2e", ".").replace("%2f", "/").replace("%5c", "/")
    if any(part in (".", "..") for part in plain_path.replace("\\", "/").split("/")):
        raise InvalidRequest("The path has `..` in it. Send it without.")
    return path


def _speaks(deployment: Deployment, family: str | None) -> bool:
    """Whether a deployment may have paths of that family."""
    return deployment.dialect in _FAMILIES.get(family or "", ())
