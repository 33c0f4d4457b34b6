"""A fitted router as a file: arrays and what they were fitted to. Data only, never code."""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct, field

from tierwise.analysis.reading import STRUCTURE
from tierwise.config.schema import NONE, SHIPPED, SHIPPED_FILE
from tierwise.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

VERSION = 2
"""Raised whenever the meaning of an array changes: an older file must then be trained again."""
REBUILD = "Train it again with `tierwise train --outcomes DIR --out FILE`."

_UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What numpy raises for a file that is not what it should be."""
_META = "meta"
_CHECKSUM = "checksum"


class CascadeMeta(Struct, frozen=True, kw_only=True):
    """What a learned cascade was fitted to.

    `models` are its line-up, by the names that were learned; `reference` is the one of them that
    quality refers to; `features` are what it reads in an answer, in order; `logprobs` says whether
    log-probabilities were recorded; `rows` counts the prompts.
    """

    models: list[str]
    reference: str
    features: list[str]
    logprobs: bool
    rows: int


class ArtifactMeta(Struct, frozen=True, kw_only=True):
    """What an artifact was fitted to.

    `sources` are the names of the folders, `rows` the prompts learned from; `groups` are the sorts
    of prompts seen; `structure` are the features it reads, in order; `cascade` is there if answers
    were recorded too. No date, so that the same data and seed make the same file.
    """

    version: int = VERSION
    models: list[str]
    groups: list[str]
    sources: list[str]
    rows: int
    notes: str = ""
    structure: list[str] = field(default_factory=lambda: list(STRUCTURE))
    cascade: CascadeMeta | None = None


class Artifact:
    """Named arrays and their `meta`."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]], meta: ArtifactMeta) -> None:
        self.arrays = dict(arrays)
        self.meta = meta

    def save(self, path: Path) -> None:
        """Writes one npz file; a reader sees the old file or the new one, never a part."""
        import numpy as np

        meta = msgspec.json.encode(self.meta)
        extra = {
            _META: np.frombuffer(meta, np.uint8),
            _CHECKSUM: np.frombuffer(_digest(self.arrays, meta), np.uint8),
        }
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez_compressed(file, allow_pickle=False, **self.arrays, **extra)
            # mkstemp makes a file that only its owner can read; a router is no secret.
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    @classmethod
    def load(cls, path: Path) -> Artifact:
        """Reads a file written by `save`.

        Raises:
            ConfigError: it cannot be read, is of another version, is damaged, or was fitted to
                other features than this version of Tierwise reads.
        """
        arrays = _read(path)
        if _META not in arrays or _CHECKSUM not in arrays:
            raise _refused(path, "this is not a router of Tierwise")
        raw = arrays.pop(_META).tobytes()
        checksum = arrays.pop(_CHECKSUM).tobytes()
        # The version comes first: a newer file may well have another meta or another checksum.
        try:
            version = msgspec.json.decode(raw, type=_Versioned).version
        except msgspec.MsgspecError as error:
            raise _refused(path, f"its description cannot be read ({error})") from None
        if version != VERSION:
            raise _refused(path, f"it is of version {version}, and this Tierwise reads {VERSION}")
        if checksum != _digest(arrays, raw):
            raise _refused(path, "its checksum does not match: the file is damaged")
        try:
            meta = msgspec.json.decode(raw, type=ArtifactMeta)
        except msgspec.MsgspecError as error:
            raise _refused(path, f"its description cannot be read ({error})") from None
        if meta.structure != list(STRUCTURE):
            raise _refused(path, "it was fitted to other features than this Tierwise reads")
        return cls(arrays, meta)


def configured(wanted: str) -> Artifact:
    """The artifact that `router.artifact` names, if that is not `none`.

    Raises:
        ConfigError: it cannot be used; names the field.
    """
    try:
        return Artifact.load(SHIPPED_FILE if wanted == SHIPPED else Path(wanted))
    except ConfigError as error:
        raise ConfigError(
            error.message,
            file=error.file,
            field="router.artifact",
            remedy=f"{error.remedy} Or set it to `{SHIPPED}` or `{NONE}`.",
        ) from None


class _Versioned(Struct):
    version: int


def _read(path: Path) -> dict[str, NDArray[np.generic]]:
    import numpy as np

    try:
        with path.open("rb") as opened:
            # Whatever is no zip file numpy would offer to unpickle.
            if opened.read(4) != b"PK\x03\x04":
                raise _refused(path, "it is cut short, damaged or no npz file")
            opened.seek(0)
            file = np.load(opened, allow_pickle=False)
            return {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise _refused(path, "there is no such file") from None
    except _UNREADABLE as error:
        reason = " ".join(str(error).split())[:120]
        raise _refused(path, f"it is cut short, damaged or no npz file ({reason})") from None


def _digest(arrays: Mapping[str, NDArray[Any]], meta: bytes) -> bytes:
    """SHA-256 over the description and every array with its name, type and shape."""
    found = hashlib.sha256(meta)
    for name in sorted(arrays):
        array = arrays[name]
        found.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        found.update(array.tobytes())
    return found.digest()


def _refused(path: Path, what: str) -> ConfigError:
    return ConfigError(f"the router cannot be used: {what}", file=str(path), remedy=REBUILD)
