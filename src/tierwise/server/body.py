"""Bodies of requests: bounded in size and time, and without the compression that they came in."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from tierwise.errors import BodyTooLarge, BodyTooSlow, InvalidRequest, UnknownEncoding
from tierwise.server.request import UPLOAD_STALLED_S, ClientGone, too_large
from tierwise.wire.compression import NotCompressed, TooLarge, UnknownCoding, inflated

_PARAM = "content-encoding"


def plain(body: bytes, codings: bytes, limit: int) -> bytes:
    """A body without the codings of its header `content-encoding`.

    Raises:
        UnknownEncoding: one of them is not read here.
        InvalidRequest: it is not what they say.
        BodyTooLarge: it has more than `limit` bytes then.
    """
    named = codings.decode("latin-1")
    try:
        return inflated(body, named, limit)
    except UnknownCoding as unknown:
        remedy = "Send it as gzip, or as it is."
        if unknown.needs is not None:
            remedy += " The gateway reads it once `tierwise[compression]` is installed."
        raise UnknownEncoding(
            f"`content-encoding` is {unknown.coding!r}, which is not read here. {remedy}",
            param=_PARAM,
        ) from None
    except NotCompressed as error:
        raise InvalidRequest(
            f"`content-encoding` is {named!r}, but the body is not: {error}.", param=_PARAM
        ) from None
    except TooLarge:
        raise BodyTooLarge(
            f"The body has more than {limit:,} bytes when it is unpacked, which is the limit. Send "
            "less, or raise `server.max_body_mb`.",
            param=_PARAM,
        ) from None


async def bounded_body(request: Request, limit: int) -> bytes:
    """The whole body of a request that is not on the hot path.

    Raises:
        BodyTooLarge, UnknownEncoding, InvalidRequest: as `plain`.
        BodyTooSlow: it did not come in time.
        ClientGone: its client has left.
    """
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(UPLOAD_STALLED_S):
            async for part in request.stream():
                parts.append(part)
                size += len(part)
                if size > limit:
                    raise too_large(size, limit)
    except TimeoutError:
        raise BodyTooSlow(
            f"The body did not come within {UPLOAD_STALLED_S:g} s. Send the request again."
        ) from None
    except ClientDisconnect:
        raise ClientGone from None
    codings = request.headers.get(_PARAM)
    body = b"".join(parts)
    return body if codings is None else plain(body, codings.encode("latin-1"), limit)
