"""Calls to Amazon Bedrock, whatever is asked: addresses, proof of who calls, errors.

docs.aws.amazon.com/bedrock/latest/userguide/api-keys-use.html (bearer keys),
docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html

A quirk: `latency-optimized` asks for answers that come sooner, where a model has such.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from urllib.parse import quote

import msgspec
from msgspec import Struct

from tierwise.errors import UpstreamError
from tierwise.providers.account import bearer, no_stream, secrets_of
from tierwise.providers.aws import AwsSigner, region_of
from tierwise.providers.errors import classify
from tierwise.providers.http import HttpRequest
from tierwise.types import Deployment
from tierwise.wire.unreadable import UNREADABLE

_KEY_VARIABLE = "AWS_BEARER_TOKEN_BEDROCK"
# What an exception's name says is surer than the status, and in streams there is no status.
_STATUS = {
    "accessdenied": 403,
    "expiredtoken": 403,
    "internalserver": 500,
    "modelerror": 502,
    "modelnotready": 503,
    "modelstreamerror": 502,
    "modeltimeout": 504,
    "resourcenotfound": 404,
    "servicequotaexceeded": 429,
    "serviceunavailable": 503,
    "throttling": 429,
    "unrecognizedclient": 403,
    "validation": 400,
}
# Said with a 400, which would otherwise be the caller's fault.
_NO_MODEL = re.compile(
    r"model identifier is invalid|on-demand throughput isn.t supported|"
    r"operation not allowed|end of its life|access to the model",
    re.IGNORECASE,
)


class BedrockCalls:
    """What all that speaks to one deployment at Bedrock has in common.

    Raises:
        ConfigError: the region is not known, or signatures are needed and botocore is missing.
    """

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        key = deployment.api_key
        if key is None and (deployment.aws is None or not deployment.aws.says_who):
            key = os.environ.get(_KEY_VARIABLE) or None
        base = deployment.base_url.rstrip("/")
        region = ""
        if "{region}" in base or key is None:
            field = f"providers.{deployment.provider}.region"
            region = region_of(deployment.region, deployment.aws, field)
            base = base.replace("{region}", region)
        # The id may be an ARN, whose slashes are not those of the path.
        self._url = f"{base}/model/{quote(deployment.upstream_model, safe='')}/"
        self._headers = {"content-type": "application/json", **dict(deployment.headers)}
        self._signer: AwsSigner | None = None
        if key is not None:
            self._headers.update(bearer(key))
        else:
            self._signer = AwsSigner(
                "bedrock", region, deployment.aws, f"providers.{deployment.provider}"
            )
        aws = deployment.aws
        signed = () if aws is None else (aws.secret_access_key, aws.session_token)
        self._secrets = secrets_of(deployment, *signed, key)

    def request(
        self, operation: str, body: bytes, more: Mapping[str, str] | None = None
    ) -> HttpRequest:
        """A call of an operation on the deployment's model, with `more` headers."""
        return HttpRequest(
            self._url + operation,
            {**self._headers, **more} if more else self._headers,
            body,
            self.deployment.timeouts.connect,
            self._signer.sign if self._signer is not None else None,
        )

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """What a non-200 answer means, without the secrets it may quote."""
        said = _read(body)
        name = headers.get("x-amzn-errortype") or said.type or said.code or ""
        # Such as `ThrottlingException:http://internal...` or `com.amazon.coral#Throttling`.
        return self.exception(name.split(":")[0].rsplit("#")[-1], said, headers, body, status)

    def exception(
        self,
        name: str,
        said: AwsError,
        headers: Mapping[str, str],
        body: bytes,
        status: int = 500,
    ) -> UpstreamError:
        """What one of AWS's exceptions means; `status` counts only if its name is unknown."""
        message = said.message or said.capital or said.original or ""
        kind = name.lower().removesuffix("exception")
        status = _STATUS.get(kind, status)
        if status == 400 and _NO_MODEL.search(message):
            status = 404
        if message:
            body = msgspec.json.encode({"message": message, "type": name})
        error = classify(status, headers, body, secrets=self._secrets)
        error.body = None  # no client reads AWS's words
        return error

    def exception_in_frame(self, headers: Mapping[str, str], payload: bytes) -> UpstreamError:
        """What it means that a frame of a stream is no event."""
        name = headers.get(":exception-type") or headers.get(":error-code", "")
        said = _read(payload)
        if ":error-message" in headers:
            said.message = headers[":error-message"]
        return self.exception(name, said, {}, payload)

    def no_stream(self, body: bytes) -> UpstreamError:
        """What it means that something else came where a stream should have begun."""
        said = _read(body)
        if said.type or said.code or said.message or said.capital:
            return self.error(500, {}, body)
        return no_stream(body, self._secrets)

    def own_headers(self) -> dict[str, str]:
        """The same as `own_fields`, as InvokeModel has it:
        docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html"""
        found: dict[str, str] = {}
        aws = self.deployment.aws
        if aws is not None and aws.guardrail is not None:
            name, _, version = aws.guardrail.rpartition(":")
            found["x-amzn-bedrock-guardrailidentifier"] = name
            found["x-amzn-bedrock-guardrailversion"] = version
        if "latency-optimized" in self.deployment.quirks:
            found["x-amzn-bedrock-performanceconfig-latency"] = "optimized"
        return found

    def own_fields(self) -> dict[str, bytes | None]:
        """What the configuration adds to every request for an answer by Converse."""
        found: dict[str, bytes | None] = {}
        aws = self.deployment.aws
        if aws is not None and aws.guardrail is not None:
            name, _, version = aws.guardrail.rpartition(":")
            guardrail = {"guardrailIdentifier": name, "guardrailVersion": version}
            found["guardrailConfig"] = msgspec.json.encode(guardrail)
        if "latency-optimized" in self.deployment.quirks:
            found["performanceConfig"] = b'{"latency":"optimized"}'
        return found


class AwsError(Struct):
    """An error's body, in all the spellings of it."""

    type: str | None = msgspec.field(default=None, name="__type")
    code: str | None = None
    message: str | None = None
    capital: str | None = msgspec.field(default=None, name="Message")
    original: str | None = msgspec.field(default=None, name="originalMessage")


_decode_error = msgspec.json.Decoder(AwsError, strict=False).decode


def _read(body: bytes) -> AwsError:
    try:
        return _decode_error(body)
    except UNREADABLE:
        return AwsError()
