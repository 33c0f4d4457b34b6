"""A certificate as a file: what is damaged is refused, with the reason."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from builders import a_policy
from tierwise.certificate import Certificate, Combination, Curve, Threshold, digest
from tierwise.errors import ConfigError

CERTIFICATE = Certificate(
    created="2026-03-01",
    expires="2026-05-30",
    sources=("made-up",),
    fitted=100,
    calibrated=200,
    alpha=0.05,
    delta=0.1,
    horizon=1000,
    method="",
    policy="auto",
    policy_hash="",
    reference="big",
    tiers=("small",),
    thresholds=(
        Threshold(traffic="", accept=0.8, rows=9, wrong=0, bound=0.05, accepted=0.7, saving=0.6),
        Threshold(traffic="qa", accept=0.6, rows=9, wrong=0, bound=0.05, accepted=0.7, saving=0.6),
    ),
    combination=Combination(
        base=0.7, intercept=0.0, prior=0.0, prior_missing=0.0, gates=(),
        curve=Curve((0.0, 1.0), (0.0, 1.0)), rows=100,
    ),
    baselines=(),
)  # fmt: skip


def written(tmp_path: Path, **changes: object) -> Path:
    data = msgspec.to_builtins(CERTIFICATE) | changes
    file = tmp_path / "certificate.json"
    file.write_bytes(msgspec.json.encode(data))
    return file


def test_traffic_without_a_threshold_of_its_own_has_that_of_the_rest() -> None:
    assert CERTIFICATE.threshold("qa").accept == 0.6
    assert CERTIFICATE.threshold("code").accept == 0.8
    assert CERTIFICATE.threshold().accept == 0.8


def test_what_was_saved_is_loaded_and_can_be_read_by_all(tmp_path: Path) -> None:
    file = tmp_path / "certificate.json"
    CERTIFICATE.save(file)
    assert Certificate.load(file) == CERTIFICATE
    assert file.stat().st_mode & 0o444 == 0o444
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 99}, "version 99"),
        ({"expires": "some day"}, "isoformat"),
        ({"thresholds": []}, "no threshold"),
        ({"alpha": 1.5}, "between 0 and 1"),
        ({"baselines": [{"name": "length", "edges": [1.0], "counts": [5]}]}, "length is broken"),
        ({"policy": None}, "policy"),
    ],
)
def test_a_certificate_that_makes_no_sense_is_refused(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        Certificate.load(written(tmp_path, **changes))
    assert "tierwise calibrate" in str(refused.value)


def test_knots_that_do_not_ascend_are_refused(tmp_path: Path) -> None:
    combination = msgspec.to_builtins(CERTIFICATE.combination)
    combination["curve"] = {"x": [0.5, 0.5], "y": [0.1, 0.2]}
    with pytest.raises(ConfigError, match="do not ascend"):
        Certificate.load(written(tmp_path, combination=combination))


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b"\xff", b"[" * 100_000])
def test_what_is_no_certificate_is_refused(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "certificate.json"
    file.write_bytes(data)
    with pytest.raises(ConfigError, match="cannot be used"):
        Certificate.load(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        Certificate.load(tmp_path / "none.json")


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot write"):
        CERTIFICATE.save(tmp_path / "none" / "certificate.json")


def test_the_hash_of_a_policy_changes_with_what_it_says() -> None:
    assert digest(a_policy()) == digest(a_policy())
    assert digest(a_policy()) != digest(a_policy(quality=0.9))
