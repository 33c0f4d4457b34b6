"""An artifact survives a round trip, and nothing else passes for one."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from tierwise.analysis.reading import STRUCTURE
from tierwise.errors import ConfigError
from tierwise.routing import artifact as module
from tierwise.routing.artifact import Artifact, ArtifactMeta

META = ArtifactMeta(models=["a"], groups=[], sources=["s"], rows=3)


@pytest.fixture
def small():
    return Artifact({"bias": np.arange(4, dtype=np.float32), "depth": np.array(3)}, META)


def test_what_is_saved_is_loaded(tmp_path, small):
    small.save(tmp_path / "r.npz")
    found = Artifact.load(tmp_path / "r.npz")
    assert found.meta == META
    assert found.meta.structure == list(STRUCTURE)
    assert set(found.arrays) == {"bias", "depth"}
    np.testing.assert_array_equal(found.arrays["bias"], small.arrays["bias"])
    assert found.arrays["bias"].dtype == np.float32


def refused(path):
    with pytest.raises(ConfigError) as wrong:
        Artifact.load(path)
    assert str(path) in str(wrong.value)
    assert "tierwise train" in str(wrong.value)
    return str(wrong.value)


def test_a_missing_file_is_named(tmp_path):
    assert "no such file" in refused(tmp_path / "none.npz")


@pytest.mark.parametrize("kept", [0, 10, 200, -30])
def test_a_file_that_is_cut_short_is_refused(tmp_path, small, kept):
    path = tmp_path / "r.npz"
    small.save(path)
    path.write_bytes(path.read_bytes()[:kept])
    assert "cut short" in refused(path)


def test_every_single_damaged_byte_is_noticed_or_harmless(tmp_path, small):
    path = tmp_path / "r.npz"
    small.save(path)
    whole = path.read_bytes()
    noticed = 0
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            found = Artifact.load(path)
        except ConfigError:
            noticed += 1
        else:
            # Bytes of the archive's own bookkeeping, such as a date, change nothing.
            np.testing.assert_array_equal(found.arrays["bias"], small.arrays["bias"])
            assert found.meta == META
    assert noticed > len(whole) / 14


def test_arrays_under_another_checksum_are_refused(tmp_path, small):
    path = tmp_path / "r.npz"
    small.save(path)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["bias"][0] = 9
    np.savez(path, **arrays)
    assert "checksum" in refused(path)


def test_another_version_is_refused_by_its_number(tmp_path, small, monkeypatch):
    path = tmp_path / "r.npz"
    newer = msgspec.structs.replace(META, version=module.VERSION + 1)
    Artifact(small.arrays, newer).save(path)
    assert f"version {module.VERSION + 1}" in refused(path)


def test_other_features_are_refused(tmp_path, small):
    path = tmp_path / "r.npz"
    Artifact(small.arrays, msgspec.structs.replace(META, structure=["chars"])).save(path)
    assert "other features" in refused(path)


def test_an_npz_of_something_else_is_refused(tmp_path):
    path = tmp_path / "r.npz"
    np.savez(path, weights=np.zeros(3))
    assert "not a router" in refused(path)
    np.savez(path, weights=np.array([{}], dtype=object))
    refused(path)
    np.save(tmp_path / "r.npy", np.zeros(3))
    refused(tmp_path / "r.npy")


def test_a_save_that_fails_leaves_the_old_file_and_no_other(tmp_path, small, monkeypatch):
    path = tmp_path / "r.npz"
    small.save(path)
    before = path.read_bytes()

    def breaks(*_args, **_kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", breaks)
    with pytest.raises(OSError, match="disk full"):
        small.save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["r.npz"]


def test_a_file_of_another_sort_is_refused_without_a_word_of_pickles(tmp_path):
    path = tmp_path / "router.npz"
    path.write_bytes(b"models: [small, large]\n")
    said = refused(path)
    assert "no npz file" in said
    assert "pickle" not in said
