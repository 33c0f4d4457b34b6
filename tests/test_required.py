"""What becomes of a test whose program is not installed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from required import REQUIRED, bringing, lacking

ENDS: list[Callable[[], object]] = [
    lambda: lacking("no_such_program is not installed"),
    lambda: bringing("no_such_package", "no_such_program"),
    lambda: bringing("json.no_such_module", "no_such_program"),
]


@pytest.mark.parametrize("end", ENDS, ids=["program", "package", "module"])
def test_a_test_without_its_program_is_skipped(
    end: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(REQUIRED, raising=False)
    with pytest.raises(pytest.skip.Exception, match="no_such_program is not installed"):
        end()


@pytest.mark.parametrize("end", ENDS, ids=["program", "package", "module"])
def test_it_fails_where_all_programs_are_required(
    end: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(REQUIRED, "1")
    with pytest.raises(pytest.fail.Exception, match="no_such_program is not installed"):
        end()


def test_a_program_that_is_there_is_brought() -> None:
    assert bringing("json.decoder", "Python").__name__ == "json.decoder"
