"""The command end to end: real processes, real HTTP, one short outage."""

from __future__ import annotations

import json
import subprocess
import sys

FIELDS = {
    "name", "path_alive", "requests", "failed", "wrong", "added_p50_ms", "added_p99_ms",
    "recovery_s",
}  # fmt: skip


def chaos(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tierwise", "chaos", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_an_outage_is_told_as_json_and_no_request_fails() -> None:
    done = chaos(
        "--scenario", "dies", "--requests", "60", "--rate", "40", "--speed", "0.02", "--json"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert [one["name"] for one in result["scenarios"]] == ["healthy", "dies"]
    for one in result["scenarios"]:
        assert one.keys() >= FIELDS
        assert one["path_alive"]
        assert (one["failed"], one["wrong"]) == (0, 0)
        assert one["requests"] >= 60
    assert result["simulated"]


def test_an_unknown_scenario_is_refused_with_the_nearest_name() -> None:
    done = chaos("--scenario", "die")
    assert done.returncode == 2
    assert "dies" in done.stderr
