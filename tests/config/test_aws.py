"""What is configured for AWS reaches the deployments, and nothing secret is shown."""

from __future__ import annotations

from typing import Any

import pytest

from tierwise.config import build, from_mapping
from tierwise.config.schema import json_schema
from tierwise.errors import ConfigError
from tierwise.types import Aws, Deployment

CLAUDE = {
    "model": "claude-sonnet-4-5",
    "upstream": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
}


def deployed(**fields: Any) -> Deployment:
    config = from_mapping({"providers": {"bedrock": {"models": [CLAUDE], **fields}}})
    (deployment,) = build(config).all_deployments()
    return deployment


def test_bedrock_needs_no_more_than_its_models() -> None:
    deployment = deployed()
    assert deployment.dialect == "bedrock"
    assert deployment.base_url == "https://bedrock-runtime.{region}.amazonaws.com"
    assert deployment.aws is None
    assert deployment.prices.input > 0


def test_credentials_and_a_guardrail_reach_the_deployment() -> None:
    keys = {"access_key_id": "AKID", "secret_access_key": "hush", "session_token": "pst"}
    deployment = deployed(region="eu-west-1", aws={**keys, "guardrail": "abc:1"})
    assert deployment.region == "eu-west-1"
    assert deployment.aws == Aws(**keys, guardrail="abc:1")
    assert "hush" not in repr(deployment) + repr(deployment.aws)
    assert deployed(aws={"profile": "prod"}).aws == Aws(profile="prod")


@pytest.mark.parametrize(
    ("aws", "word"),
    [
        ({"access_key_id": "AKID"}, "secret_access_key"),
        ({"secret_access_key": "hush"}, "access_key_id"),
        ({"profile": "p", "access_key_id": "A", "secret_access_key": "hush"}, "profile"),
        ({"guardrail": "abc"}, "guardrail"),
        ({"region": "eu-west-1"}, "region"),
    ],
)
def test_what_does_not_go_together_is_refused(aws: dict[str, str], word: str) -> None:
    with pytest.raises(ConfigError, match=word) as caught:
        deployed(aws=aws)
    assert "hush" not in str(caught.value)


def test_editors_are_told_of_it() -> None:
    assert "guardrail" in json_schema()["$defs"]["AwsConfig"]["properties"]
