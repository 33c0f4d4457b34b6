"""The first run: what is found, the file that is written, and the schema for editors."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from msgspec.structs import replace

from tierwise.config import build, load
from tierwise.config.discover import Found, discover
from tierwise.config.presets import PRESETS, Preset
from tierwise.config.schema import json_schema
from tierwise.config.template import render

HOSTED = [name for name, preset in PRESETS.items() if preset.key_variables and preset.offers]


@pytest.fixture
def no_local_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine where nothing listens on the usual ports."""
    for name, preset in PRESETS.items():
        if preset.local:
            monkeypatch.setitem(PRESETS, name, replace(preset, base_url="http://127.0.0.1:9/v1"))


@pytest.fixture
def local_server(no_local_servers: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """A server at vLLM's place; the list holds what it answers."""
    answer = [json.dumps({"data": [{"id": "org/my-model"}, {"id": "other:7b"}]}).encode()]

    class Models(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/v1/models" else 404)
            self.send_header("content-length", str(len(answer[0])))
            self.end_headers()
            self.wfile.write(answer[0])

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Models)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/v1"
    monkeypatch.setitem(PRESETS, "vllm", replace(PRESETS["vllm"], base_url=url))
    yield answer
    server.shutdown()
    thread.join()
    server.server_close()


def test_with_nothing_there_nothing_is_found(no_local_servers: None) -> None:
    assert discover({}) == Found()


@pytest.mark.parametrize("name", HOSTED)
def test_a_key_in_the_environment_is_found_and_not_copied(name: str) -> None:
    (variable, *_) = PRESETS[name].key_variables
    found = discover({variable: "sk-secret"}, probe_local=False)
    assert list(found.providers) == [name]
    assert found.providers[name]["api_key"] == f"${{{variable}}}"
    assert found.providers[name]["models"] == list(PRESETS[name].offers)
    assert found.sources[name] == variable
    assert "sk-secret" not in repr(found)


def test_an_empty_key_is_no_key() -> None:
    assert discover({"OPENAI_API_KEY": "  "}, probe_local=False) == Found()


def test_a_local_server_is_found_with_its_models(local_server: list[bytes]) -> None:
    found = discover({})
    assert list(found.providers) == ["vllm"]
    assert found.providers["vllm"] == {
        "base_url": PRESETS["vllm"].base_url,
        "models": [{"model": "my-model", "upstream": "org/my-model"}, "other:7b"],
    }
    assert found.sources["vllm"] == PRESETS["vllm"].base_url


@pytest.mark.parametrize(
    "answer", [b"", b"<html>", b"[]", b"{}", b'{"data": 5}', b'{"data": []}', b'{"data": [{}]}']
)
def test_something_else_on_a_usual_port_is_no_model_server(
    local_server: list[bytes], answer: bytes
) -> None:
    local_server[0] = answer
    assert discover({}) == Found()


def loaded(text: str, tmp_path: Path, environ: dict[str, str]) -> Any:
    file = tmp_path / "tierwise.yaml"
    file.write_text(text, encoding="utf-8")
    return load(file, environ)


def test_the_template_without_findings_is_a_working_example(tmp_path: Path) -> None:
    config = loaded(render(Found()), tmp_path, {"OPENAI_API_KEY": "k"})
    assert set(build(config).models) == {"gpt-4o", "gpt-4o-mini"}


def test_the_template_with_findings_loads_back(local_server: list[bytes], tmp_path: Path) -> None:
    environ = {variable: "k" for name in HOSTED for variable in PRESETS[name].key_variables[:1]}
    found = discover(environ)
    text = render(found)
    assert "sk-" not in text
    config = loaded(text, tmp_path, environ)
    assert set(config.providers) == {*HOSTED, "vllm"}
    setup = build(config)
    assert [d.upstream_model for d in setup.deployments["my-model"]] == ["org/my-model"]


def test_what_the_template_shows_in_comments_is_valid_too(tmp_path: Path) -> None:
    lines = render(Found()).splitlines()
    start = lines.index("# models:")
    shown = [line[2:] for line in lines[start : start + 7]]
    text = "\n".join([*lines[:start], *shown, *lines[start + 7 :]])
    config = loaded(text, tmp_path, {"OPENAI_API_KEY": "k"})
    assert config.models["my-model"].specialises == ["finance"]


def test_a_preset_without_offers_is_not_found() -> None:
    assert Preset(base_url="https://x").offers == ()


def test_the_schema_is_a_json_schema_that_accepts_the_template() -> None:
    schema = json_schema()
    jsonschema_rs.meta.validate(schema)
    validator = jsonschema_rs.validator_for(schema)
    good = yaml.safe_load(render(Found()))
    assert validator.is_valid(good)
    assert not validator.is_valid({**good, "servre": {}})
    assert not validator.is_valid({"server": {}})
