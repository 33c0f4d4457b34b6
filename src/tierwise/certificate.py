"""What calibration found, and what it promises: data only, one JSON file.

`learning` writes it, `gates.combine` and `state.drift` read it. See docs/certificate.md for what
is promised and what is not.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from tierwise.errors import ConfigError

VERSION = 2
"""Raised whenever the meaning of a field changes: an older file must then be made again."""
NOBODY = "nobody"
"""The class of traffic of callers without a key, where classes go by caller."""
_REMAKE = "Make it again with `tierwise calibrate --outcomes DIR --out FILE`."


class Curve(Struct, frozen=True):
    """A rising function by its knots: linear between them, flat beyond. `x` ascends strictly."""

    x: tuple[float, ...]
    y: tuple[float, ...]


class GateEvidence(Struct, frozen=True, kw_only=True):
    """What one gate's verdict is worth.

    `curve` turns its p into P(acceptable); `weight` multiplies that one's log-odds against the
    base rate, and `missing` is added where the gate had nothing to say.
    """

    gate: str
    curve: Curve
    weight: float
    missing: float


class Combination(Struct, frozen=True, kw_only=True):
    """A logistic model on log-odds that joins verdicts and the router's estimate.

    `base` is the rate of acceptable answers it was fitted to. `prior` and `prior_missing` are for
    the quality that the router expected of the model, as `weight` and `missing` are for a gate.
    `curve` calibrates the result. `rows` is how many labelled answers it was fitted to.
    """

    base: float
    intercept: float
    prior: float
    prior_missing: float
    gates: tuple[GateEvidence, ...]
    curve: Curve
    rows: int


class Threshold(Struct, frozen=True, kw_only=True):
    """Where to accept, for one class of traffic ("" for all that have none of their own).

    Of `rows` calibration requests `wrong` were accepted at `accept` though the reference was
    right and the answer wrong; `bound` is the upper bound of their share among the next `horizon`
    requests. `accepted` and `saving` are shares, as measured on the same rows. An `accept` above
    1 accepts nothing: too little data for anything better.
    """

    traffic: str
    accept: float
    rows: int
    wrong: int
    bound: float
    accepted: float
    saving: float


class Baseline(Struct, frozen=True):
    """How one figure was distributed over the calibration requests.

    `edges` are the inner bounds of its bins, ascending, and `counts` how many fell in each: bin i
    holds what is below `edges[i]` and not below `edges[i - 1]`.
    """

    name: str
    edges: tuple[float, ...]
    counts: tuple[int, ...]


class Certificate(Struct, frozen=True, kw_only=True):
    """With confidence 1 - `delta`, P(reference right, ours wrong) is at most `alpha`.

    That is meant of the next `horizon` requests, taken together, if they are drawn as those were
    that it was calibrated on. `created` and `expires` are ISO dates. `sources` names the data,
    `fitted` and `calibrated` count the rows that the combination and the thresholds were fitted
    to; no row was used for both. `policy_hash` and `artifact_hash` are SHA-256 in hexadecimal,
    the former of what `config.certified.policy_hash` says, the latter of the router's file, ""
    where no router was used. `by` says what makes a class of traffic: "kind", "caller", "dataset",
    or "" where all is one; where it is "kind", `learned_kinds` says whether they are those that a
    gateway with a router finds.
    """

    version: int = VERSION
    created: str
    expires: str
    sources: tuple[str, ...]
    fitted: int
    calibrated: int
    alpha: float
    delta: float
    horizon: int
    method: str
    policy: str
    policy_hash: str
    artifact_hash: str = ""
    reference: str
    tiers: tuple[str, ...]
    gates: tuple[str, ...] = ()
    by: str = ""
    learned_kinds: bool = False
    thresholds: tuple[Threshold, ...]
    combination: Combination
    baselines: tuple[Baseline, ...]
    notes: tuple[str, ...] = ()

    def threshold(self, traffic: str = "") -> Threshold:
        """The threshold for a class of traffic, or the one for all the rest."""
        known = {threshold.traffic: threshold for threshold in self.thresholds}
        return known.get(traffic) or known[""]

    @property
    def bound(self) -> float:
        """The highest of its thresholds' bounds."""
        return max(threshold.bound for threshold in self.thresholds)

    @property
    def ends(self) -> float:
        """Unix time when its last day is over, by the machine's own calendar."""
        after = date.fromisoformat(self.expires) + timedelta(days=1)
        return datetime.combine(after, time.min).astimezone().timestamp()

    def expired(self, at: float) -> bool:
        """Whether it is past its last day at this Unix time, by the machine's own calendar."""
        return at >= self.ends

    def save(self, path: Path) -> None:
        """Writes the file; a reader sees the old one or the new one, never a part.

        Raises:
            ConfigError: it cannot be written.
        """
        data = msgspec.json.format(msgspec.json.encode(self), indent=1)
        try:
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data + b"\n")
                # mkstemp makes a file that only its owner can read; a certificate is to be shown.
                Path(name).chmod(0o644)
                Path(name).replace(path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise ConfigError(f"cannot write it: {error}", file=str(path)) from None

    @classmethod
    def load(cls, path: Path) -> Certificate:
        """Reads a file written by `save`.

        Raises:
            ConfigError: it cannot be read, is of another version, or its numbers make no sense.
        """
        try:
            raw = path.read_bytes()
            version = msgspec.json.decode(raw, type=_Versioned).version
            if version != VERSION:
                raise _refused(path, f"it is of version {version}, this Tierwise reads {VERSION}")
            found = msgspec.json.decode(raw, type=cls)
            date.fromisoformat(found.created)
            date.fromisoformat(found.expires)
        except FileNotFoundError:
            raise _refused(path, "there is no such file") from None
        except (OSError, ValueError, msgspec.MsgspecError, RecursionError) as error:
            raise _refused(path, " ".join(str(error).split())[:160]) from None
        for wrong in _mistakes(found):
            raise _refused(path, wrong)
        return found


def traffic_of(by: str, *, kind: str, caller: str | None) -> str:
    """The class of traffic that a request belongs to, where classes go `by` this."""
    if by == "kind":
        return kind
    return (caller or NOBODY) if by == "caller" else ""


class _Versioned(Struct):
    version: int


def digest(value: Any) -> str:
    """SHA-256, in hexadecimal, of a struct's contents, whatever order they were written in."""
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256, in hexadecimal, of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _mistakes(found: Certificate) -> list[str]:
    """What would make those who use it stumble later."""
    wrong = []
    combination = found.combination
    for curve in (combination.curve, *(gate.curve for gate in combination.gates)):
        rising = all(a < b for a, b in zip(curve.x, curve.x[1:], strict=False))
        if not curve.x or len(curve.x) != len(curve.y) or not rising:
            wrong.append("a curve's knots do not ascend")
    wrong += [
        f"the baseline of {baseline.name} is broken"
        for baseline in found.baselines
        if len(baseline.counts) != len(baseline.edges) + 1 or sum(baseline.counts) <= 0
    ]
    if not any(threshold.traffic == "" for threshold in found.thresholds):
        wrong.append("it has no threshold for all traffic")
    if not (0 < found.alpha < 1 and 0 < found.delta < 1 and 0 < combination.base < 1):
        wrong.append("alpha, delta and the base rate must lie between 0 and 1")
    return wrong


def _refused(path: Path, what: str) -> ConfigError:
    return ConfigError(f"the certificate cannot be used: {what}", file=str(path), remedy=_REMAKE)
