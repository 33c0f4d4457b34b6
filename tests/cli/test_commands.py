"""The command line as people and scripts use it: as a process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from gateway import Provider, config_for, fails, tierwise, write_config
from tierwise import __version__
from tierwise.config.discover import discover
from tierwise.ledger import Ledger

pytestmark = pytest.mark.process
GOOD = "http://127.0.0.1:9/v1"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration that is right, whose provider need not be there."""
    data = config_for(GOOD, ledger={"path": str(tmp_path / "ledger.db")})
    return write_config(tmp_path / "tierwise.yaml", data)


def test_the_version_is_printed(tmp_path: Path) -> None:
    done = tierwise("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"{__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serve", "--colour"], "No such option"),
        (["serve", "--port", "70000"], "'--port'"),
        (["serve", "--workers", "none"], "'--workers'"),
        (["sevre"], "No such command"),
        (["route"], "Missing argument"),
    ],
)
def test_bad_options_are_named_on_stderr(tmp_path: Path, arguments: list[str], words: str) -> None:
    done = tierwise(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_good_configuration_passes_the_check(file: Path, tmp_path: Path) -> None:
    done = tierwise("check", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "ok tierwise.yaml" in done.stdout
    assert "alpha/small" in done.stdout
    machine = json.loads(tierwise("check", "--json", "-c", str(file), cwd=tmp_path).stdout)
    assert machine["ok"] is True
    assert machine["deployments"] == ["alpha/small", "alpha/large"]
    assert machine["policies"] == ["auto", "best", "economy", "hasty", "stepwise"]
    assert machine["ping"] is None


def test_the_check_says_for_how_long_what_is_kept(file: Path, tmp_path: Path) -> None:
    assert "kept: every request" in tierwise("check", cwd=tmp_path).stdout
    text = file.read_text()
    file.write_text(text.replace("ledger:\n", "ledger:\n  keep_days: 90\n"))
    assert "kept: requests for 90 days" in " ".join(tierwise("check", cwd=tmp_path).stdout.split())
    machine = json.loads(tierwise("check", "--json", cwd=tmp_path).stdout)
    assert machine["ledger_keep_days"] == 90
    file.write_text(text.replace("ledger:\n", "ledger:\n  keep_days: 0\n"))
    done = tierwise("check", cwd=tmp_path)
    assert done.returncode == 2
    assert "ledger.keep_days" in done.stderr
    assert "greater than or equal to 1 (got 0)" in done.stderr


def _misspelt(text: str) -> str:
    return text.replace("base_url", "base_ulr")


def _wrong_port(text: str) -> str:
    return text.replace("server:\n", "server:\n  port: 99999\n")


def _unknown_tier(text: str) -> str:
    return text.replace("- model: large", "- model: larg")


def _no_key(text: str) -> str:
    return text.replace("api_key: upstream-secret-key", "api_key: ${NOWHERE_SET}")


def _no_url(text: str) -> str:
    return text.replace(GOOD, "${NOWHERE_SET}")


def _shared_host(text: str) -> str:
    return text.replace("server:\n", "server:\n  host: 0.0.0.0\n")


def _two_ports(text: str) -> str:
    return text.replace("server:\n", "server:\n  port: 1\n  port: 2\n")


def _no_yaml(text: str) -> str:
    return text + "server: [\n"


@pytest.mark.parametrize(
    ("spoil", "place", "words"),
    [
        (_misspelt, 4, "Did you mean 'base_url'?"),
        (_wrong_port, 42, "less than or equal to 65535"),
        (_unknown_tier, 33, "'larg' is not configured. Use one of: large"),
        (_no_url, 4, "NOWHERE_SET is not set. Set NOWHERE_SET"),
        (_no_yaml, None, "not valid YAML"),
        (_shared_host, 41, "listens on loopback only"),
        (_two_ports, 43, "'port' stands here already, in line 42"),
    ],
)
def test_a_bad_configuration_is_one_line_with_place_and_remedy(
    file: Path, tmp_path: Path, spoil: Callable[[str], str], place: int | None, words: str
) -> None:
    file.write_text(spoil(file.read_text()))
    done = tierwise("check", "-c", "tierwise.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("tierwise: ")
    assert done.stderr.count("\n") == 1
    assert words in done.stderr
    if place is not None:
        assert f"tierwise.yaml:{place}:" in done.stderr


def test_check_as_json_tells_programs_all_that_is_wrong(file: Path, tmp_path: Path) -> None:
    file.write_text(_wrong_port(_misspelt(file.read_text())))
    done = tierwise("check", "--json", "-c", "tierwise.yaml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "")
    told = json.loads(done.stdout)
    assert told["ok"] is False
    assert [(e["file"], e["field"]) for e in told["errors"]] == [
        ("tierwise.yaml", "providers.alpha.base_ulr"),
        ("tierwise.yaml", "server.port"),
    ]
    assert told["errors"][0]["line"] == 4
    assert told["errors"][0]["message"] == "unknown field 'base_ulr'"
    assert told["errors"][0]["remedy"] == "Did you mean 'base_url'?"
    shown = tierwise("check", "-c", "tierwise.yaml", cwd=tmp_path).stderr.splitlines()
    assert len(shown) == 2
    assert all(line.startswith("tierwise: tierwise.yaml:") for line in shown)


def test_a_key_whose_variable_is_unset_is_a_warning_until_it_is_needed(
    file: Path, tmp_path: Path
) -> None:
    file.write_text(_no_key(file.read_text()))
    done = tierwise("check", cwd=tmp_path)
    assert done.returncode == 0
    assert "warning: tierwise.yaml:5: providers.alpha.api_key: the environment" in done.stderr
    assert "unset" in done.stdout.split()
    told = json.loads(tierwise("check", "--json", cwd=tmp_path).stdout)
    assert told["ok"] is True
    assert [(e["field"], e["line"]) for e in told["warnings"]] == [("providers.alpha.api_key", 5)]
    for command in (["route", "Hello"], ["models"]):
        assert tierwise(*command, cwd=tmp_path).returncode == 0
    for command in (["serve", "--port", "0"], ["check", "--ping"]):
        refused = tierwise(*command, cwd=tmp_path)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "NOWHERE_SET is not set. Set NOWHERE_SET" in refused.stderr


def test_report_needs_nothing_but_the_ledger_s_place(file: Path, tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db"):
        pass
    file.write_text(_wrong_port(_no_key(_misspelt(file.read_text()))))
    done = tierwise("report", "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["requests"] == 0


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["route", "Hello"], ["models"]])
def test_every_command_says_the_same_of_a_bad_configuration(
    file: Path, tmp_path: Path, command: list[str]
) -> None:
    file.write_text(_misspelt(file.read_text()))
    done = tierwise(*command, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "tierwise.yaml:4: providers.alpha.base_ulr" in done.stderr


def test_an_unknown_gate_is_found_by_the_check(file: Path, tmp_path: Path) -> None:
    data = yaml.safe_load(file.read_text())
    data["policies"]["strict"] = {"gates": ["complet"]}
    write_config(file, data)
    done = tierwise("check", cwd=tmp_path)
    assert done.returncode == 2
    assert "policies.strict.gates: unknown gate 'complet'. Use one of: complete" in done.stderr
    line = 1 + file.read_text().splitlines().index("    gates:")
    assert f"tierwise.yaml:{line}: " in done.stderr


def test_an_unknown_dialect_is_found_with_its_line(file: Path, tmp_path: Path) -> None:
    file.write_text(
        file.read_text().replace("    models:\n", "    dialect: opnai\n    models:\n", 1)
    )
    done = tierwise("check", cwd=tmp_path)
    assert done.returncode == 2
    assert "tierwise.yaml:6: providers.alpha.dialect: unknown provider dialect" in done.stderr


def test_a_missing_file_says_how_to_write_one(tmp_path: Path) -> None:
    done = tierwise("check", "--config", "elsewhere.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "elsewhere.yaml: cannot read the configuration" in done.stderr
    assert "tierwise init" in done.stderr


def test_ping_calls_every_deployment(tmp_path: Path, provider: Provider) -> None:
    file = write_config(tmp_path / "tierwise.yaml", config_for(provider.url))
    done = tierwise("check", "--ping", "-c", str(file), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert {seen.body["model"] for seen in provider.seen} == {"small", "large"}
    assert "ok" in done.stdout.split()


def test_a_ping_that_fails_says_why_and_exits_with_1(tmp_path: Path, provider: Provider) -> None:
    data = config_for(provider.url)
    data["providers"]["dead"] = {
        "preset": "openai_compatible",
        "base_url": "http://127.0.0.1:1/v1",
        "models": ["small"],
    }
    provider.acts["large"] = fails(401, {"message": "bad key upstream-secret-key"})
    file = write_config(tmp_path / "tierwise.yaml", data)
    done = tierwise("check", "--ping", "-c", str(file), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.startswith("failed")
    assert "[redacted]" in done.stdout
    machine = tierwise("check", "--ping", "--json", "-c", str(file), cwd=tmp_path)
    assert machine.returncode == 1
    pings = json.loads(machine.stdout)["ping"]
    assert pings["alpha/small"]["error"] is None
    assert "connect_failed" in pings["dead/small"]["error"]
    assert "out_of_service" in pings["alpha/large"]["error"]


def test_route_shows_the_plan_and_asks_no_model(file: Path, tmp_path: Path) -> None:
    done = tierwise("route", "What is [bold]a bond[/]?", "-p", "stepwise", cwd=tmp_path)
    assert done.returncode == 0
    assert "tier 1: small, accepted by complete, json_schema" in done.stdout
    assert "tier 2: large" in done.stdout.splitlines()  # nobody is left to ask after it
    assert "the policy pins small then large" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    for column in ("quality", "$/1k", "all s", "part", "why"):
        assert column in done.stdout
    machine = json.loads(tierwise("route", "Hello", "--json", cwd=tmp_path).stdout)
    assert machine["plan"]["tiers"][-1]["model"] == "large"
    assert {candidate["model"] for candidate in machine["candidates"]} == {"small", "large"}
    assert not (tmp_path / "ledger.db").exists()


def test_route_to_nowhere_exits_with_2(file: Path, tmp_path: Path) -> None:
    done = tierwise("route", "Hello", "--policy", "smal", cwd=tmp_path)
    assert done.returncode == 2
    assert "Did you mean small" in done.stderr


def test_models_lists_what_is_configured(file: Path, tmp_path: Path) -> None:
    done = tierwise("models", cwd=tmp_path)
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= 80
    rows = json.loads(tierwise("models", "--json", cwd=tmp_path).stdout)
    assert {row["id"]: row["deployments"] for row in rows} == {
        "small": ["alpha/small"],
        "large": ["alpha/large"],
    }
    assert rows[0]["prices"]["input"] == 1


def test_models_lists_the_catalogue(tmp_path: Path) -> None:
    rows = json.loads(tierwise("models", "--all", "--json", cwd=tmp_path).stdout)
    assert len(rows) > 10
    assert all(row["prices"]["output"] >= 0 for row in rows)


def test_init_prints_writes_and_does_not_overwrite(tmp_path: Path) -> None:
    printed = tierwise("init", "--print", cwd=tmp_path)
    assert printed.returncode == 0
    assert yaml.safe_load(printed.stdout)["policies"]["auto"]["quality"] == 0.95
    assert not (tmp_path / "tierwise.yaml").exists()
    first = tierwise("init", cwd=tmp_path)
    assert first.returncode == 0
    assert "wrote tierwise.yaml" in first.stdout
    mine = "# mine\n" + (tmp_path / "tierwise.yaml").read_text()
    (tmp_path / "tierwise.yaml").write_text(mine)
    second = tierwise("init", cwd=tmp_path)
    assert second.returncode == 2
    assert "--force" in second.stderr
    assert (tmp_path / "tierwise.yaml").read_text() == mine
    forced = tierwise("init", "--force", cwd=tmp_path)
    assert forced.returncode == 0
    assert not (tmp_path / "tierwise.yaml").read_text().startswith("# mine")


def test_after_init_with_nothing_found_only_serve_asks_for_the_example_s_key(
    tmp_path: Path,
) -> None:
    if discover({}).providers:
        pytest.skip("a local model server answers on this machine")
    said = tierwise("init", cwd=tmp_path).stdout
    assert "found nothing" in said
    assert "set OPENAI_API_KEY" in said
    for command in (["check"], ["route", "Hello"], ["models"]):
        done = tierwise(*command, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert "there is no ledger" in tierwise("report", cwd=tmp_path).stderr
    done = tierwise("serve", cwd=tmp_path)
    assert done.returncode == 2
    assert "OPENAI_API_KEY is not set" in done.stderr


def test_init_writes_no_key_into_the_file(tmp_path: Path) -> None:
    done = tierwise("init", cwd=tmp_path, OPENAI_API_KEY="sk-very-secret-123456")
    assert done.returncode == 0
    assert "sk-very-secret" not in (tmp_path / "tierwise.yaml").read_text() + done.stdout


def test_what_init_writes_passes_the_check(tmp_path: Path) -> None:
    key = {"OPENAI_API_KEY": "sk-very-secret-123456"}
    assert tierwise("init", cwd=tmp_path, **key).returncode == 0
    done = tierwise("check", cwd=tmp_path, **key)
    assert done.returncode == 0, done.stderr


def test_init_where_nobody_may_write_is_one_line(tmp_path: Path) -> None:
    done = tierwise("init", "nowhere/tierwise.yaml", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "nowhere/tierwise.yaml: cannot write the file" in done.stderr


def test_the_schema_of_the_file_is_printed_as_json(tmp_path: Path) -> None:
    schema = json.loads(tierwise("init", "--schema", cwd=tmp_path).stdout)
    assert {"server", "providers", "policies"} <= set(schema["properties"])


def test_report_without_a_ledger_says_how_one_comes_about(tmp_path: Path) -> None:
    done = tierwise("report", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "there is no ledger at tierwise.db" in done.stderr
    assert "tierwise serve" in done.stderr


def test_report_of_an_empty_ledger_says_what_to_do(file: Path, tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db"):
        pass
    done = tierwise("report", cwd=tmp_path)
    assert done.returncode == 0
    assert "No requests" in done.stdout
    assert "tierwise serve" in done.stdout
    machine = json.loads(tierwise("report", "--json", cwd=tmp_path).stdout)
    assert (machine["requests"], machine["saving"]) == (0, None)


def test_report_refuses_a_span_that_is_none(tmp_path: Path) -> None:
    with Ledger(tmp_path / "tierwise.db"):
        pass
    done = tierwise("report", "--since", "yesterday", cwd=tmp_path)
    assert done.returncode == 2
    assert 'for example "24h"' in done.stderr


def test_the_check_says_what_guardrails_do_and_on_whose_requests(tmp_path: Path) -> None:
    rules = {
        "private": {"kind": "pii"},
        "keys": {
            "kind": "patterns",
            "patterns": {"trap": "(a+)+b"},
            "always": True,
            "unseen": "refuse",
        },
    }
    data = config_for(GOOD, guardrails=rules, ledger={"path": str(tmp_path / "ledger.db")})
    data["policies"]["stepwise"]["guardrails"] = ["private"]
    write_config(tmp_path / "tierwise.yaml", data)
    said = tierwise("check", cwd=tmp_path).stdout
    assert "guardrail private: pii, masks, requests and answers of stepwise" in said
    assert "guardrail keys: patterns, refuses, requests and answers of all" in said
    flat = " ".join(said.split())
    assert "of all; what it cannot look into is refused" in flat
    assert "which takes longer: trap" in flat
    data["guardrails"]["private"]["find"] = ["emial"]
    write_config(tmp_path / "tierwise.yaml", data)
    wrong = tierwise("check", cwd=tmp_path)
    assert wrong.returncode == 2
    assert "guardrails.private.find: 'emial' is unknown" in wrong.stderr
