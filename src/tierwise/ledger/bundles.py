"""Complete records as bytes, many at once.

Records of one moment are much alike: candidates, reasons and field names repeat. Together they
compress to a seventh, alone hardly to a half; and one large value costs the database less than
many small ones.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator, Sequence

import msgspec

from tierwise.errors import DecisionUnreadable
from tierwise.types import Record

log = logging.getLogger("tierwise.ledger")

MAX_RECORDS = 64
"""Reading one record unpacks its whole bundle, so a bundle must stay small."""
MAX_CONTENT_CHARS = 4_000_000
"""Prompts and answers, where they are kept, close a bundle early."""

PLAIN = "msgpack"
COMPRESSED = "msgpack+zlib"

# MessagePack and not JSON: half the time to encode, and it keeps infinities and NaN.
_encode = msgspec.msgpack.Encoder().encode
_split = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_decode = msgspec.msgpack.Decoder(Record).decode


def bundled(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    """Cuts records into runs that make one bundle each."""
    begin = chars = 0
    for index, one in enumerate(records):
        if index - begin == MAX_RECORDS or chars > MAX_CONTENT_CHARS:
            yield records[begin:index]
            begin, chars = index, 0
        if one.prompt is not None:
            chars += len(one.prompt)
        if one.answer is not None:
            chars += len(one.answer)
    if begin < len(records):
        yield records[begin:]


def pack(records: Sequence[Record], *, compress: bool) -> tuple[str, bytes]:
    """The codec and the bytes of one bundle."""
    data = _encode(records)
    return (COMPRESSED, zlib.compress(data, 1)) if compress else (PLAIN, data)


def unpack(codec: str, data: bytes) -> list[msgspec.Raw]:
    """The records of a bundle, each still encoded."""
    return _split(zlib.decompress(data) if codec == COMPRESSED else data)


def readable(number: int, codec: str, data: bytes) -> list[msgspec.Raw]:
    """As `unpack`; none, and a line in the log, if bundle `number` is damaged."""
    try:
        return unpack(codec, data)
    except (msgspec.MsgspecError, zlib.error) as error:
        log.warning("bundle %d of the ledger cannot be read: %s", number, error)
        return []


def record(bundle: Sequence[msgspec.Raw], number: int, slot: int) -> Record | None:
    """One record of bundle `number`; None, and a line in the log, if it cannot be read."""
    if slot >= len(bundle):
        if bundle:
            log.warning("record %d of bundle %d is not in it: it has %d", slot, number, len(bundle))
        return None
    try:
        return _decode(bundle[slot])
    except msgspec.MsgspecError as error:
        log.warning("record %d of bundle %d cannot be read: %s", slot, number, error)
        return None


def wanted(decision_id: str, number: int, codec: str, data: bytes, slot: int) -> Record:
    """The record of a decision, which is in bundle `number`.

    Raises:
        DecisionUnreadable: it cannot be read, for which the log has the reason.
    """
    found = record(readable(number, codec, data), number, slot)
    if found is None:
        raise DecisionUnreadable(
            f"The record of decision {decision_id!r} is damaged (record {slot} of bundle {number} "
            "of the ledger) and cannot be read; the gateway's log says why. Its figures are in "
            "reports all the same; the rest is only in a backup, if there is one.",
            param="decision_id",
        )
    return found
