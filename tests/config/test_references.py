"""Secrets that lie in files: mounted by a platform, named in the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from tierwise.config import load
from tierwise.errors import ConfigError

CONFIG = """\
providers:
  openai:
    api_key: ${file:SECRET}
    models: [gpt-4o-mini]
"""


def config_with(folder: Path, reference: str) -> Path:
    file = folder / "tierwise.yaml"
    file.write_text(CONFIG.replace("${file:SECRET}", reference))
    return file


def key_of(file: Path) -> str:
    key = load(file, {}).providers["openai"].api_key
    assert key is not None
    return key.get_secret_value()


@pytest.mark.parametrize("written", ["sk-mounted", "sk-mounted\n", "sk-mounted\r\n"])
def test_a_key_is_read_from_the_file_that_is_named(tmp_path: Path, written: str) -> None:
    secret = tmp_path / "openai-key"
    secret.write_bytes(written.encode())
    assert key_of(config_with(tmp_path, f"${{file:{secret}}}")) == "sk-mounted"


def test_a_relative_path_begins_where_the_configuration_lies(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "openai").write_text("sk-beside")
    assert key_of(config_with(tmp_path, "${file:secrets/openai}")) == "sk-beside"


def test_a_file_is_read_again_with_the_configuration(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("old")
    file = config_with(tmp_path, f"${{file:{secret}}}")
    assert key_of(file) == "old"
    secret.write_text("new")
    assert key_of(file) == "new"


def test_a_reference_in_a_secret_is_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a${HOME}b")
    assert key_of(config_with(tmp_path, "${file:key}")) == "a${HOME}b"


def test_a_default_stands_in_for_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert key_of(config_with(tmp_path, "${file:nowhere:-spare}")) == "spare"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file"),
        (b"\xff\xfe", "is not text in UTF-8"),
        (b"x" * (1024 * 1024 + 1), "is larger than 1 MiB"),
    ],
)
def test_a_file_that_is_no_secret_is_told_with_its_line(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    with pytest.raises(ConfigError, match=said) as caught:
        load(config_with(tmp_path, "${file:key}"), {})
    assert (caught.value.line, caught.value.field) == (3, "providers.openai.api_key")
    assert "mount the secret there" in (caught.value.remedy or "")


@pytest.mark.parametrize(
    "written", ["$OPENAI_KEY", "${openai-key}", "${ KEY }", "${", "${KEY", "${KEY:-${OTHER}}"]
)
@pytest.mark.parametrize("needs_keys", [True, False])
def test_what_is_only_meant_for_a_reference_is_no_key(
    tmp_path: Path, written: str, needs_keys: bool
) -> None:
    with pytest.raises(ConfigError, match="looks like a reference") as caught:
        load(config_with(tmp_path, f"'{written}'"), {"KEY": "k"}, needs_keys=needs_keys)
    assert (caught.value.line, caught.value.field) == (3, "providers.openai.api_key")


@pytest.mark.parametrize("key", ["a$KEY", "$aint", "pa$$", "$"])
def test_a_key_may_have_a_dollar_in_it(tmp_path: Path, key: str) -> None:
    assert key_of(config_with(tmp_path, f"'{key}'")) == key


def test_a_variable_may_end_as_the_file_that_it_was_read_from(tmp_path: Path) -> None:
    config = load(config_with(tmp_path, "${KEY}"), {"KEY": "sk-mounted\n"})
    key = config.providers["openai"].api_key
    assert key is not None
    assert key.get_secret_value() == "sk-mounted"
