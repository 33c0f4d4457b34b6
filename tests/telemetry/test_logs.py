from __future__ import annotations

import json
import logging
import os
import threading
import weakref
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from gateway import config_for, until
from tierwise.config import Config, from_mapping
from tierwise.errors import ConfigError
from tierwise.telemetry.access import AccessLog
from tierwise.telemetry.in_hand import IN_HAND, InHand
from tierwise.telemetry.logs import JsonLines, TextLines, iso, log_format, secrets_in
from tierwise.types import Trace, Usage


def a_record(message: str, *args: Any, **extra: Any) -> logging.LogRecord:
    record = logging.LogRecord("tierwise.test", logging.WARNING, "x.py", 1, message, args, None)
    record.__dict__.update(extra)
    return record


def configured(**sections: Any) -> Config:
    return from_mapping(config_for("http://127.0.0.1:9/v1", **sections), {})


@pytest.fixture
def held() -> Iterator[InHand]:
    mine = InHand(1_700_000_000.0, "GET", "/v1/models")
    token = IN_HAND.set(mine)
    yield mine
    IN_HAND.reset(token)


def test_a_line_has_time_level_logger_and_message() -> None:
    record = a_record("it is %d", 7)
    record.created = 1_700_000_000.25
    assert json.loads(JsonLines(()).format(record)) == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "warning",
        "logger": "tierwise.test",
        "message": "it is 7",
    }


def test_a_line_names_the_request_in_hand(held: InHand) -> None:
    held.caller = "team-a"
    held.trace = Trace(id="a" * 32, span="b" * 16)
    line = json.loads(JsonLines(()).format(a_record("x")))
    assert (line["key"], line["trace_id"], line["span_id"]) == ("team-a", "a" * 32, "b" * 16)
    assert "decision_id" not in line


def test_other_threads_and_requests_do_not_have_its_ids(held: InHand) -> None:
    held.caller = "team-a"
    lines: list[str] = []
    other = threading.Thread(target=lambda: lines.append(JsonLines(()).format(a_record("x"))))
    other.start()
    other.join()
    assert "key" not in json.loads(lines[0])


def test_an_exception_stays_on_its_line() -> None:
    record = a_record("broke")
    try:
        raise ValueError("two\nlines")
    except ValueError as error:
        record.exc_info = (type(error), error, error.__traceback__)
    text = JsonLines(()).format(record)
    assert "\n" not in text
    assert "ValueError: two\nlines" in json.loads(text)["exception"]


@pytest.mark.parametrize("form", [TextLines, JsonLines])
def test_secrets_of_the_configuration_are_in_no_line(form: Any) -> None:
    config = configured(
        server={"api_keys": ["client-secret-1", {"key": "client-secret-2", "name": "n"}]},
        telemetry={"headers": {"x-key": "collector-secret"}},
    )
    secrets = secrets_in(config)
    assert {"client-secret-1", "client-secret-2", "collector-secret"} <= set(secrets)
    record = a_record("with %s", "/".join(secrets), more="collector-secret")
    text = form(secrets).format(record)
    assert "secret" not in text
    assert "sk-not-configured-but-a-key" not in form(()).format(
        a_record("sk-not-configured-but-a-key")
    )


def test_the_variable_says_otherwise_than_the_file() -> None:
    config = configured(server={"log_format": "json"})
    assert log_format(config, {}) == "json"
    assert log_format(config, {"TIERWISE_LOG_FORMAT": "TEXT"}) == "text"
    with pytest.raises(ConfigError, match="TIERWISE_LOG_FORMAT"):
        log_format(config, {"TIERWISE_LOG_FORMAT": "xml"})


def written(form: Any, *requests: InHand) -> list[str]:
    """What an access log writes of these."""
    reader, writer = os.pipe()
    access = AccessLog(form, writer)
    for over in requests:
        access.add(over, 0.0123)
    access.close()
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as file:
        return file.read().removesuffix("\n").split("\n")


def a_request(path: str = "/v1/models", status: int | None = 200) -> InHand:
    over = InHand(1_700_000_000.0, "GET", path)
    over.status = status
    return over


def test_the_access_log_has_a_line_of_each_request() -> None:
    first, second = written("json", a_request(), a_request(status=None))
    assert json.loads(first) == {
        "time": iso(1_700_000_000.0),
        "level": "info",
        "logger": "tierwise.access",
        "message": "GET /v1/models",
        "method": "GET",
        "path": "/v1/models",
        "status": 200,
        "latency_s": 0.0123,
    }
    assert json.loads(second)["status"] is None


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_path_can_forge_a_line(form: str) -> None:
    [line] = written(form, a_request("/v1/x\nforged\u2028too"))
    assert line.count("forged") == (2 if form == "json" else 1)


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_looks_like_a_key_in_a_path_is_hidden(form: str) -> None:
    [line] = written(form, a_request("/sk-pasted-into-the-base-url/v1/chat/completions"))
    assert "pasted" not in line
    assert line.count("/[redacted]/v1/chat/completions") == (2 if form == "json" else 1)


def test_many_lines_come_whole_and_in_order() -> None:
    reader, writer = os.pipe()
    access = AccessLog("json", writer)
    lines: list[str] = []

    def read() -> None:
        with os.fdopen(reader, encoding="utf-8") as file:
            lines.extend(file)

    reading = threading.Thread(target=read)
    reading.start()
    for number in range(2000):
        access.add(a_request(f"/{number}"), 0.1)
    access.close()
    os.close(writer)
    reading.join()
    assert [json.loads(line)["path"] for line in lines] == [f"/{n}" for n in range(2000)]


def test_a_log_that_nobody_reads_costs_lines_and_not_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tierwise.telemetry.access.MOST_WAITING", 100)
    reader, writer = os.pipe()
    access = AccessLog("json", writer)
    for _ in range(5000):
        access.add(a_request("/" + "x" * 200), 0.1)
    assert access.dropped > 0
    os.close(reader)  # its reader is gone: no more waiting, and no error
    until(lambda: not access._waiting, "the log to give up")
    access.close()
    os.close(writer)


def test_every_line_that_cannot_be_written_is_counted() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    access = AccessLog("json", writer)
    for _ in range(200):  # of several pieces
        access.add(a_request("/" + "x" * 200), 0.1)
    access.close()
    os.close(writer)
    assert access.dropped == 200


def test_a_line_that_waits_does_not_keep_the_request_with_its_body() -> None:
    class Running:
        decision = SimpleNamespace(id="d1", requested="auto", policy="economy")
        model, deployment, tier, cost_usd = "small", "there/small", 1, 0.5
        usage = Usage(input_tokens=3, output_tokens=4)

    reader, writer = os.pipe()
    access = AccessLog("json", writer)
    over = a_request()
    run = over.run = Running()  # type: ignore[assignment]
    alive = weakref.ref(run)
    access.add(over, 0.1)
    del over, run
    assert alive() is None
    access.close()
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as file:
        line = json.loads(file.read())
    assert line["decision_id"] == "d1"
    assert (line["requested"], line["policy"], line["model"]) == ("auto", "economy", "small")
    assert (line["input_tokens"], line["output_tokens"], line["cost_usd"]) == (3, 4, 0.5)
