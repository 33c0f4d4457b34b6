"""Signed calls to AWS: credentials from wherever its own tools find them, signatures by botocore.

botocore is an optional extra, imported when the first signature is wanted. Credentials that come
from files, containers or machines are fetched and renewed in a thread, because botocore waits for
them; a signature itself is only arithmetic.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
from typing import Any

from tierwise.errors import ConfigError, OutOfService
from tierwise.providers.http import HttpRequest
from tierwise.types import Aws

_REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")


def region_of(region: str | None, aws: Aws | None, field: str) -> str:
    """The region that is configured, or AWS's own variables and files name.

    Raises:
        ConfigError: there is none, or AWS's files cannot be used.
    """
    found = region or next((os.environ[v] for v in _REGION_VARIABLES if os.environ.get(v)), None)
    if found is None and importlib.util.find_spec("botocore") is not None:
        found = _region_in_files(aws, field)
    if found is None:
        raise ConfigError(
            "the AWS region is not known",
            field=field,
            remedy="Add it, for example `region: us-east-1`, or set AWS_REGION.",
        )
    return found


class AwsSigner:
    """Signs calls to one service in one region (Signature Version 4).

    Args:
        field: of the configuration, for the error.

    Raises:
        ConfigError: botocore is not installed.
    """

    def __init__(
        self, service: str, region: str, aws: Aws | None, field: str | None = None
    ) -> None:
        if importlib.util.find_spec("botocore") is None:
            raise ConfigError(
                "calls to AWS cannot be signed: botocore is not installed",
                field=field,
                remedy="Install it with `pip install 'tierwise[bedrock]'`, or give a Bedrock API "
                "key as `api_key`.",
            )
        self._service = service
        self._region = region
        self._aws = aws
        self._credentials: Any = None
        self._finding = asyncio.Lock()

    async def sign(self, request: HttpRequest) -> dict[str, str]:
        """The headers that prove who calls.

        Raises:
            OutOfService: no credentials are found, or they cannot be renewed.
        """
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        keys = await self._keys()
        method = "GET" if request.body is None else "POST"
        call = AWSRequest(method, request.url, dict(request.headers), request.body)
        SigV4Auth(keys, self._service, self._region).add_auth(call)
        return {
            name.lower(): value
            for name, value in call.headers.items()
            if name.lower() not in request.headers
        }

    async def _keys(self) -> Any:
        """Keys that are good now."""
        from botocore.exceptions import BotoCoreError

        try:
            if self._credentials is None:
                async with self._finding:
                    if self._credentials is None:
                        self._credentials = await asyncio.to_thread(self._find)
            found = self._credentials
            stale = getattr(found, "refresh_needed", None)
            if stale is not None and stale():
                return await asyncio.to_thread(found.get_frozen_credentials)
            return found.get_frozen_credentials()
        except (BotoCoreError, OSError) as error:
            raise OutOfService(f"AWS credentials cannot be had: {error}") from None

    def _find(self) -> Any:
        from botocore.credentials import Credentials

        aws = self._aws
        if aws is not None and aws.access_key_id is not None:
            return Credentials(aws.access_key_id, aws.secret_access_key, aws.session_token)
        found = _session(aws).get_credentials()
        if found is None:
            raise OutOfService(
                "no AWS credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
                "name a profile as `aws.profile`, or give a Bedrock API key as `api_key`"
            )
        return found


def _region_in_files(aws: Aws | None, field: str) -> str | None:
    from botocore.exceptions import BotoCoreError

    try:
        region: str | None = _session(aws).get_config_variable("region")
    except BotoCoreError as error:  # a profile that is not there, a file that is none
        raise ConfigError(
            f"the AWS region is not known: {error}",
            field=field,
            remedy="Add it, for example `region: us-east-1`; or mend what AWS's files say.",
        ) from None
    return region


def _session(aws: Aws | None) -> Any:
    from botocore.session import Session

    return Session(profile=aws.profile if aws is not None else None)
