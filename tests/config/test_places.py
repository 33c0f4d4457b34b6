"""Where providers are reached follows from what is configured of them."""

from __future__ import annotations

from typing import Any

import pytest

from tierwise.config.build import build
from tierwise.config.schema import Config
from tierwise.errors import ConfigError
from tierwise.types import Deployment


def deployed(name: str, **fields: Any) -> Deployment:
    provider = {"models": ["gemini-3.8-flash"], **fields}
    setup = build(Config.model_validate({"providers": {name: provider}}))
    return setup.all_deployments()[0]


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("global", "aiplatform.googleapis.com"),
        ("europe-west4", "europe-west4-aiplatform.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
    ],
)
def test_vertex_is_reached_at_the_host_of_its_location(location: str, host: str) -> None:
    place = deployed("vertex", project="my-project", location=location)
    assert place.dialect == "vertex"
    assert place.base_url == f"https://{host}/v1beta1/projects/my-project/locations/{location}"
    assert place.region == location
    assert place.prices.output > 0


def test_vertex_is_global_unless_a_location_or_a_region_is_written() -> None:
    assert deployed("vertex", project="p").base_url.endswith("/projects/p/locations/global")
    assert deployed("vertex", project="p", region="us").base_url.endswith("/p/locations/us")


def test_vertex_with_a_key_alone_is_asked_in_express_mode() -> None:
    place = deployed("vertex", api_key="AQ.x")
    assert place.base_url == "https://aiplatform.googleapis.com/v1beta1"
    assert place.api_key == "AQ.x"


def test_vertex_without_project_and_key_says_what_to_add() -> None:
    with pytest.raises(ConfigError, match="`project: my-project`") as caught:
        deployed("vertex")
    assert caught.value.field == "providers.vertex.project"


@pytest.mark.parametrize("field", ["project", "location"])
def test_others_have_no_use_for_a_project(field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        deployed("gemini", api_key="x", **{field: "europe-west4"})
    assert caught.value.field == f"providers.gemini.{field}"


def test_gemini_speaks_its_own_dialect_unless_told_otherwise() -> None:
    place = deployed("gemini", api_key="x")
    assert (place.dialect, place.base_url) == (
        "gemini",
        "https://generativelanguage.googleapis.com",
    )
    compatible = deployed(
        "gemini",
        api_key="x",
        dialect="openai_compatible",
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
    )
    assert compatible.dialect == "openai_compatible"
