"""Kind and domain of a text by small linear heads on its traits.

Multinomial logistic regression: p = softmax(x W + b). The weights are fitted by
`python -m tierwise.learning.labels` and stand beside this file.
"""

from __future__ import annotations

import functools
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tierwise.analysis.traits import Frame, Traits, Vector, domain_row, kind_row
from tierwise.errors import ConfigError
from tierwise.types import Domain, Kind

FILE = Path(__file__).with_name("heads.npz")
VERSION = 1
_SHAPED = ("kind_weights", "kind_bias", "domain_weights", "domain_bias")
_FRAMED = ("centre", "shape_mean", "shape_sd")
_NAMED = ("version", "kinds", "domains")


class Heads:
    """Two linear classifiers. `kinds` and `domains` name the columns of their outputs."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.kinds = tuple(cast(Kind, str(name)) for name in arrays["kinds"])
        self.domains = tuple(cast(Domain, str(name)) for name in arrays["domains"])
        self.frame = Frame(*(arrays[name].astype(np.float32) for name in _FRAMED))
        self._kind_weights, self._kind_bias, self._domain_weights, self._domain_bias = (
            arrays[name].astype(np.float32) for name in _SHAPED
        )

    @classmethod
    def builtin(cls) -> Heads:
        """The heads that ship with the package, loaded at the first call and then kept.

        Raises:
            ConfigError: the file is missing, broken or of another version.
        """
        return _builtin()

    def kind(self, traits: Traits) -> Vector:
        """Log-probability of each of `kinds`."""
        return _log_softmax(kind_row(traits, self.frame) @ self._kind_weights + self._kind_bias)

    def domain(self, traits: Traits) -> Vector:
        """Log-probability of each of `domains`."""
        row = domain_row(traits, self.frame)
        return _log_softmax(row @ self._domain_weights + self._domain_bias)


def _log_softmax(logits: Vector) -> Vector:
    shifted = logits - logits.max()
    return cast(Vector, shifted - np.log(np.exp(shifted).sum()))


@functools.cache
def _builtin() -> Heads:
    try:
        with np.load(FILE, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        missing = [name for name in (*_NAMED, *_FRAMED, *_SHAPED) if name not in arrays]
        if missing or int(arrays["version"]) != VERSION:
            raise ValueError(f"it lacks {missing[0]}" if missing else "it is of another version")
        return Heads(arrays)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ConfigError(
            f"the analysis weights cannot be read: {error}",
            file=str(FILE),
            remedy="install tierwise again, or run python -m tierwise.learning.labels",
        ) from error
