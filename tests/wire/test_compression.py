"""Bodies that come compressed."""

from __future__ import annotations

import gzip
import importlib.util
import random
import zlib

import pytest

from tierwise.wire.compression import (
    NotCompressed,
    TooLarge,
    UnknownCoding,
    inflated,
    inflater,
)

TEXT = ("größe " * 5000).encode()


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKED = {
    "gzip": gzip.compress(TEXT),
    "x-gzip": gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:]),
    "deflate": zlib.compress(TEXT),
    "Deflate ": raw_deflate(TEXT),
    "identity": TEXT,
    "deflate, gzip": gzip.compress(zlib.compress(TEXT)),
}


@pytest.mark.parametrize("coding", PACKED)
def test_what_was_packed_is_unpacked(coding: str) -> None:
    assert inflated(PACKED[coding], coding, len(TEXT)) == TEXT


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate"])
def test_it_does_not_matter_where_it_is_cut(coding: str) -> None:
    rng = random.Random(coding)
    undo, packed, out = inflater(coding), PACKED[coding], b""
    while packed:
        size = rng.randint(1, 50)
        out += undo.feed(packed[:size])
        packed = packed[size:]
    assert out == TEXT


def test_a_small_body_cannot_become_a_large_one() -> None:
    bomb = gzip.compress(b"\0" * (50 << 20))
    assert len(bomb) < 100_000
    with pytest.raises(TooLarge):
        inflated(bomb, "gzip", 1 << 20)
    with pytest.raises(TooLarge):
        inflated(gzip.compress(bomb), "gzip, gzip", 1 << 20)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_what_is_not_packed_is_told(coding: str) -> None:
    with pytest.raises(NotCompressed):
        inflated(b'{"model": "small"}', coding, 1000)


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate", "Deflate ", "deflate, gzip"])
def test_what_has_lost_its_end_is_told(coding: str) -> None:
    with pytest.raises(NotCompressed, match="end is missing"):
        inflated(PACKED[coding][:-1], coding, len(TEXT))


def test_gzip_has_a_head() -> None:
    assert inflated(raw_deflate(TEXT), "deflate", len(TEXT)) == TEXT
    with pytest.raises(NotCompressed):
        inflated(raw_deflate(TEXT), "gzip", len(TEXT))


def test_an_empty_body_is_empty_in_any_coding() -> None:
    assert inflated(b"", "gzip", 10) == b""


def test_an_unknown_coding_is_named() -> None:
    with pytest.raises(UnknownCoding) as caught:
        inflated(TEXT, "lzma", 1000)
    assert (caught.value.coding, caught.value.needs) == ("lzma", None)


@pytest.mark.parametrize(("coding", "package"), [("br", "brotli"), ("zstd", "zstandard")])
def test_others_need_their_package(coding: str, package: str) -> None:
    if importlib.util.find_spec(package) is None:
        with pytest.raises(UnknownCoding) as caught:
            inflated(TEXT, coding, 1000)
        assert caught.value.needs == package
        return
    module = importlib.import_module(package)
    packed = module.compress(TEXT)
    assert inflated(packed, coding, len(TEXT)) == TEXT
    with pytest.raises(TooLarge):
        inflated(module.compress(b"\0" * (50 << 20)), coding, 1 << 20)
    with pytest.raises(NotCompressed):
        inflated(b"nothing of the kind", coding, 1000)
    with pytest.raises(NotCompressed, match="end is missing"):
        inflated(packed[:-2], coding, len(TEXT))
