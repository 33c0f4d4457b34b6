"""Calls to AWS are signed as AWS checks it, with credentials from wherever its tools find them."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from builders import a_deployment
from tierwise.errors import ConfigError, OutOfService
from tierwise.providers import HttpRequest, Transport
from tierwise.providers.aws import AwsSigner, region_of
from tierwise.providers.bedrock import Bedrock
from tierwise.types import Aws, Task

pytest.importorskip("botocore", reason="botocore is not installed")

KEYS = Aws(access_key_id="AKIDEXAMPLE", secret_access_key="wJalrXUtnFEMI/K7MDENG")
VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE")


@pytest.fixture(autouse=True)
def _nobodys_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (*VARIABLES, "AWS_BEARER_TOKEN_BEDROCK", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def signed(aws: Aws | None) -> dict[str, str]:
    call = HttpRequest("https://b.aws/model/m/converse", {"x": "1"}, b"{}")
    return asyncio.run(AwsSigner("bedrock", "eu-west-1", aws).sign(call))


def signature(
    secret: str, path: str, headers: Mapping[str, str], body: bytes, authorization: str
) -> str:
    """The signature by AWS's own description of it, worked out anew.

    docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    found = re.search(r"Credential=[^/]+/([^,]+), SignedHeaders=([^,]+),", authorization)
    assert found is not None
    scope, names = found[1], found[2].split(";")
    lower = {name.lower(): value for name, value in headers.items()}
    canonical = "\n".join(
        (
            "POST",
            quote(path, safe="/~"),
            "",
            *(f"{name}:{lower[name].strip()}" for name in names),
            "",
            ";".join(names),
            hashlib.sha256(body).hexdigest(),
        )
    )
    to_sign = "\n".join(
        (
            "AWS4-HMAC-SHA256",
            lower["x-amz-date"],
            scope,
            hashlib.sha256(canonical.encode()).hexdigest(),
        )
    )
    key = b"AWS4" + secret.encode()
    for piece in scope.split("/"):
        key = hmac.digest(key, piece.encode(), "sha256")
    return hmac.new(key, to_sign.encode(), "sha256").hexdigest()


@asynccontextmanager
async def a_provider(seen: list[tuple[str, dict[str, str], bytes]]) -> AsyncIterator[str]:
    async def handle(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        seen.append((request.raw_path, headers, await request.read()))
        return web.json_response({})

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handle)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    try:
        yield str(server.make_url("")).rstrip("/")
    finally:
        await server.close()


@pytest.mark.parametrize(
    "model",
    [
        "us.amazon.nova-micro-v1:0",
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc",
    ],
)
async def test_a_call_is_signed_as_aws_would_check_it(model: str) -> None:
    seen: list[tuple[str, dict[str, str], bytes]] = []
    transport = Transport()
    async with a_provider(seen) as url:
        made = Bedrock(
            a_deployment(
                "m", "bedrock", base_url=url, upstream_model=model, region="eu-west-1", aws=KEYS
            )
        )
        task = Task(body='{"messages":["größe"]}'.encode(), model="m", messages=[])
        await transport.send(made.request(task), 5)
        await transport.close()
    ((path, headers, body),) = seen
    assert body == task.body
    assert unquote(path) == f"/model/{model}/converse"
    authorization = headers["authorization"]
    assert "Credential=AKIDEXAMPLE/" in authorization
    assert "/eu-west-1/bedrock/aws4_request" in authorization
    assert "host" in authorization
    assert authorization.endswith(
        "Signature=" + signature(KEYS.secret_access_key or "", path, headers, body, authorization)
    )


def test_a_session_token_goes_with_the_signature() -> None:
    temporary = Aws(access_key_id="ASIA", secret_access_key="s", session_token="temporary")
    assert signed(temporary)["x-amz-security-token"] == "temporary"
    assert "x-amz-security-token" not in signed(KEYS)


def test_the_environment_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDOUTSIDE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    assert "AKIDOUTSIDE" in signed(None)["authorization"]
    assert "AKIDEXAMPLE" in signed(KEYS)["authorization"]


def test_a_profile_gives_keys_and_the_region(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text(
        "[prod]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = s\n"
    )
    (tmp_path / "config").write_text("[profile prod]\nregion = ap-south-1\n")
    assert "AKIDPROFILE" in signed(Aws(profile="prod"))["authorization"]
    assert region_of(None, Aws(profile="prod"), "field") == "ap-south-1"


def test_without_credentials_the_remedy_is_told() -> None:
    with pytest.raises(OutOfService, match="AWS_ACCESS_KEY_ID"):
        signed(None)


def test_a_profile_that_is_not_there_is_told_by_name() -> None:
    with pytest.raises(OutOfService, match="nobody"):
        signed(Aws(profile="nobody"))


def test_a_profile_that_is_not_there_has_no_region_either() -> None:
    with pytest.raises(ConfigError, match=r"providers\.aws\.region: .*\(nobody\)"):
        region_of(None, Aws(profile="nobody"), "providers.aws.region")


def test_credentials_are_looked_for_once_and_not_in_the_event_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signer = AwsSigner("bedrock", "eu-west-1", KEYS)
    found: list[int] = []
    real = signer._find

    def find() -> Any:
        found.append(threading.get_ident())
        return real()

    monkeypatch.setattr(signer, "_find", find)
    call = HttpRequest("https://b.aws/model/m/converse", {}, b"{}")

    async def several() -> None:
        await asyncio.gather(*(signer.sign(call) for _ in range(5)))

    asyncio.run(several())
    assert len(found) == 1
    assert found[0] != threading.get_ident()


def test_keys_that_end_are_renewed_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import datetime, timedelta

    from botocore.credentials import RefreshableCredentials

    renewed: list[int] = []

    def metadata(key: str, minutes: int) -> dict[str, str]:
        ends = datetime.now(UTC) + timedelta(minutes=minutes)
        return {
            "access_key": key, "secret_key": "s", "token": "t", "expiry_time": ends.isoformat(),
        }  # fmt: skip

    def renew() -> dict[str, str]:
        renewed.append(threading.get_ident())
        return metadata("AKIDNEW", 60)

    old = RefreshableCredentials.create_from_metadata(metadata("AKIDOLD", 1), renew, "test")
    signer = AwsSigner("bedrock", "eu-west-1", KEYS)
    monkeypatch.setattr(signer, "_find", lambda: old)
    call = HttpRequest("https://b.aws/model/m/converse", {}, b"{}")
    for _ in range(2):
        assert "AKIDNEW" in asyncio.run(signer.sign(call))["authorization"]
    assert len(renewed) == 1
    assert renewed[0] != threading.get_ident()
