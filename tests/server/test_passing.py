"""What is passed through to a provider as it is."""

from __future__ import annotations

import gzip
import http.client
import json
from collections.abc import Iterator

import pytest

from elsewhere import LARGE, Elsewhere
from gateway import KEY, PATIENCE_S, UPSTREAM_KEY, RunningGateway, call, config_for, until
from tierwise.ledger import Aside


@pytest.fixture(scope="module")
def passing(_elsewhere: Elsewhere) -> Iterator[RunningGateway]:
    data = config_for(
        _elsewhere.url,
        server={
            "api_keys": [KEY],
            "max_body_mb": 1,
            "max_upload_mb": 4,
            "passthrough": ["alpha"],
        },
    )
    second = {**data["providers"]["alpha"], "api_key": "other-key", "models": ["small"]}
    data["providers"]["beta"] = second
    with RunningGateway(data) as gateway:
        yield gateway


def test_the_providers_key_takes_the_place_of_the_clients(
    passing: RunningGateway, elsewhere: Elsewhere
) -> None:
    headers = {
        "x-tierwise-provider": "alpha",
        "cookie": "secret",
        "x-api-key": KEY,
        "x-own": "kept",
        "connection": "x-hop",
        "x-hop": "dropped",
        "openai-organization": "the-clients",
        "x-forwarded-for": "10.0.0.1",
    }
    reply = call(passing.url, "GET", "/v1/files?limit=2&key=abc", headers=headers)
    assert (reply.status, reply.json) == (200, {"ok": True})
    [got] = elsewhere.got
    assert (got["method"], got["path"]) == ("GET", "/v1/files?limit=2")
    assert got["headers"]["authorization"] == f"Bearer {UPSTREAM_KEY}"
    assert got["headers"]["x-own"] == "kept"
    ours = {"cookie", "x-api-key", "x-hop", "x-tierwise-provider", "openai-organization"}
    assert not (ours | {"x-forwarded-for"}) & got["headers"].keys()
    assert reply.headers["x-own"] == "1"
    assert "set-cookie" not in reply.headers
    assert reply.headers["x-upstream-request-id"] == "req_1"


def test_a_models_prefix_names_the_provider_and_is_taken_off(
    passing: RunningGateway, elsewhere: Elsewhere
) -> None:
    body = {"model": "beta/dall-e-3", "prompt": "a cat"}
    assert call(passing.url, "POST", "/v1/images/generations", body).status == 200
    [got] = elsewhere.got
    assert got["path"] == "/v1/images/generations"
    assert json.loads(got["body"]) == {"model": "dall-e-3", "prompt": "a cat"}
    assert got["headers"]["authorization"] == "Bearer other-key"


def test_of_several_providers_one_must_be_named(
    passing: RunningGateway, elsewhere: Elsewhere
) -> None:
    reply = call(passing.url, "POST", "/v1/moderations", {"input": "hello"})
    assert (reply.status, reply.error["code"]) == (404, "provider_not_found")
    assert "alpha, beta" in reply.error["message"]
    unknown = call(passing.url, "GET", "/v1/files", headers={"x-tierwise-provider": "gamma"})
    assert (unknown.status, unknown.error["param"]) == (404, "x-tierwise-provider")
    assert not elsewhere.got


def test_a_single_provider_need_not_be_named(gateway: RunningGateway) -> None:
    reply = call(gateway.url, "GET", "/v1/files/file-1")
    assert reply.status == 404  # the provider's own: it has no such path
    assert b"Not Found" in reply.body


def test_uploads_are_larger_than_other_bodies_may_be(
    passing: RunningGateway, elsewhere: Elsewhere
) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x", "x-tierwise-provider": "alpha"}
    assert call(passing.url, "POST", "/v1/files", b"x" * LARGE, headers=headers).status == 200
    [got] = elsewhere.got
    assert (got["size"], got["headers"]["content-length"]) == (LARGE, str(LARGE))
    assert got["headers"]["content-type"] == headers["content-type"]


def test_chunked_uploads_stay_chunked(passing: RunningGateway, elsewhere: Elsewhere) -> None:
    headers = {"content-type": "audio/wav", "x-tierwise-provider": "alpha"}
    parts = iter([b"one", b"two", b"three"])
    path = "/v1/audio/transcriptions"
    assert call(passing.url, "POST", path, parts, headers=headers).status == 200
    assert elsewhere.got[0]["body"] == b"onetwothree"
    assert elsewhere.got[0]["headers"]["transfer-encoding"] == "chunked"


@pytest.mark.parametrize("chunked", [False, True])
def test_uploads_have_a_limit(passing: RunningGateway, chunked: bool) -> None:
    headers = {"content-type": "audio/wav", "x-tierwise-provider": "alpha"}
    body = b"x" * (5 << 20)
    given = iter([body]) if chunked else body
    try:
        reply = call(passing.url, "POST", "/v1/files", given, headers=headers)
    except (BrokenPipeError, ConnectionResetError):
        return  # it may hang up before it was sent
    assert (reply.status, reply.error["code"]) == (413, "request_too_large")
    assert "server.max_upload_mb" in reply.error["message"]


def test_an_upload_reaches_the_provider_before_its_end(
    passing: RunningGateway, elsewhere: Elsewhere
) -> None:
    def parts() -> Iterator[bytes]:
        yield b"first"
        assert elsewhere.arrived.wait(PATIENCE_S)
        yield b"last"

    headers = {"content-type": "audio/wav", "x-tierwise-provider": "alpha"}
    assert call(passing.url, "POST", "/v1/files", parts(), headers=headers).status == 200
    assert elsewhere.got[0]["body"] == b"firstlast"


def test_a_large_answer_comes_whole(passing: RunningGateway) -> None:
    headers = {"x-tierwise-provider": "alpha"}
    reply = call(passing.url, "GET", "/v1/files/f/content", headers=headers)
    assert (reply.status, len(reply.body)) == (200, LARGE >> 16 << 16)
    assert reply.headers["content-type"] == "application/octet-stream"


def test_where_a_provider_sends_somebody_is_not_followed_with_its_key(
    passing: RunningGateway, elsewhere: Elsewhere
) -> None:
    reply = call(passing.url, "GET", "/v1/files/moved", headers={"x-tierwise-provider": "alpha"})
    assert (reply.status, reply.headers["location"]) == (302, "/v1/elsewhere")
    assert [got["path"] for got in elsewhere.got] == ["/v1/files/moved"]


def test_the_providers_errors_are_its_own(passing: RunningGateway) -> None:
    headers = {"x-tierwise-provider": "alpha"}
    reply = call(passing.url, "GET", "/v1/files/missing", headers=headers)
    assert (reply.status, reply.json) == (404, {"error": {"message": "gone"}})
    assert reply.headers["retry-after"] == "7"


def test_a_client_that_leaves_ends_the_call(passing: RunningGateway, elsewhere: Elsewhere) -> None:
    connection = http.client.HTTPConnection(passing.host, timeout=PATIENCE_S)
    headers = {"authorization": f"Bearer {KEY}", "x-tierwise-provider": "alpha"}
    connection.request("GET", "/v1/files/slow", headers=headers)
    assert elsewhere.arrived.wait(PATIENCE_S)
    connection.close()
    assert elsewhere.gone.wait(PATIENCE_S)


def test_nobody_comes_through_without_a_key(passing: RunningGateway, elsewhere: Elsewhere) -> None:
    assert call(passing.url, "GET", "/v1/files", key=None).status == 401
    assert not elsewhere.got


def test_other_paths_are_open_where_the_configuration_says_so(
    passing: RunningGateway, elsewhere: Elsewhere
) -> None:
    reply = call(passing.url, "POST", "/passthrough/alpha/v1/assistants?a=1", {"name": "x"})
    assert (reply.status, elsewhere.got[0]["path"]) == (200, "/v1/assistants?a=1")
    closed = call(passing.url, "POST", "/passthrough/beta/v1/assistants", {"name": "x"})
    assert (closed.status, closed.error["code"]) == (404, "unknown_path")


def test_a_body_that_is_read_for_its_model_goes_on_unpacked_and_says_so(
    passing: RunningGateway, elsewhere: Elsewhere
) -> None:
    packed = gzip.compress(b'{"model": "alpha/tts", "input": "Hi"}')
    headers = {"content-encoding": "gzip"}
    assert call(passing.url, "POST", "/v1/audio/speech", packed, headers=headers).status == 200
    [got] = elsewhere.got
    assert json.loads(got["body"]) == {"model": "tts", "input": "Hi"}
    assert "content-encoding" not in got["headers"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/files/../models",
        "/v1/files/%2e%2e/models",
        "/v1/files/..%2Fmodels",
        "/v1/files/..%5Cmodels",
        "/v1/files/.%2E\\models",
    ],
)
def test_paths_do_not_lead_elsewhere(
    passing: RunningGateway, elsewhere: Elsewhere, path: str
) -> None:
    reply = call(passing.url, "GET", path, headers={"x-tierwise-provider": "alpha"})
    assert reply.status == 400
    assert not elsewhere.got


def test_anthropics_api_is_told_which_version_a_client_of_another_kind_means(
    elsewhere: Elsewhere,
) -> None:
    data = config_for(elsewhere.url)
    data["providers"]["alpha"]["dialect"] = "anthropic"
    with RunningGateway(data) as gateway:
        call(gateway.url, "GET", "/v1/messages/batches")
        call(
            gateway.url, "GET", "/v1/messages/batches", headers={"anthropic-version": "2030-01-01"}
        )
    assert [got["headers"]["anthropic-version"] for got in elsewhere.got] == [
        "2023-06-01",
        "2030-01-01",
    ]


def test_calls_are_counted(passing: RunningGateway, elsewhere: Elsewhere) -> None:
    call(passing.url, "GET", "/v1/files", headers={"x-tierwise-provider": "beta"})
    text = call(passing.url, "GET", "/metrics").body.decode()
    assert 'tierwise_passed_through_total{provider="beta",status="200"}' in text


def test_a_dead_provider_is_named_as_such() -> None:
    data = config_for("http://127.0.0.1:9/v1", server={"api_keys": [KEY]})
    with RunningGateway(data) as gateway:
        reply = call(gateway.url, "GET", "/v1/files")
        [one] = noted(gateway)
    assert (reply.status, reply.error["code"]) == (502, "connect_failed")
    assert (one.status, one.code, one.cost_usd) == ("error", None, None)
    assert one.error is not None
    assert one.error.startswith("ConnectFailed: ")
    for header in ("x-request-id", "x-tierwise-decision-id"):
        assert reply.headers[header] == one.id
    assert reply.headers["x-tierwise-attempts"] == "1"


def noted(running: RunningGateway) -> list[Aside]:
    running.settle()
    return running.orchestrator.ledger.asides()


def test_calls_are_in_the_ledger_as_far_as_they_can_be_seen(
    passing: RunningGateway, elsewhere: Elsewhere
) -> None:
    del elsewhere
    before = len(noted(passing))
    body = {"model": "beta/gpt-image-1", "prompt": "a cat"}
    reply = call(passing.url, "POST", "/v1/images/generations", body)
    assert gzip.decompress(reply.body)
    made, *_ = found = noted(passing)
    assert len(found) == before + 1
    assert (made.kind, made.asked) == ("images", "POST /v1/images/generations")
    assert (made.provider, made.code, made.status) == ("beta", 200, "ok")
    assert (made.input_tokens, made.output_tokens) == (7, 300)
    assert made.cost_usd is None
    assert reply.headers["x-tierwise-decision-id"] == made.id
    shown = call(passing.url, "GET", f"/v1/decisions/{made.id}").json
    assert (shown["kind"], shown["cost_usd"]) == ("images", None)


@pytest.mark.parametrize(
    ("path", "kind", "status", "code"),
    [
        ("/v1/files/missing", "files", "error", 404),
        ("/v1/files/f/content", "files", "ok", 200),
        ("/v1/batches/batch-1", "batches", "ok", 200),
        ("/passthrough/alpha/v1/anything?q=secret", "passthrough", "ok", 200),
    ],
)
def test_what_nobody_says_of_usage_is_unknown_and_not_0(
    passing: RunningGateway, path: str, kind: str, status: str, code: int
) -> None:
    """A batch that is looked up says what another call used."""
    call(passing.url, "GET", path, headers={"x-tierwise-provider": "alpha"})
    last = noted(passing)[0]
    assert (last.kind, last.status, last.code) == (kind, status, code)
    assert (last.input_tokens, last.output_tokens, last.cost_usd) == (None, None, None)
    assert last.asked == f"GET {path.partition('?')[0]}"


def test_a_call_whose_client_leaves_is_in_the_ledger(
    passing: RunningGateway, elsewhere: Elsewhere
) -> None:
    before = len(noted(passing))
    connection = http.client.HTTPConnection(passing.host)
    headers = {"authorization": f"Bearer {KEY}", "x-tierwise-provider": "alpha"}
    connection.request("GET", "/v1/files/slow", headers=headers)
    assert elsewhere.arrived.wait(PATIENCE_S)
    connection.close()
    until(lambda: len(noted(passing)) > before, "its record")
    last = noted(passing)[0]
    assert (last.status, last.code, last.error) == ("cancelled", None, None)


def test_they_are_in_the_report_and_in_none_of_its_sums(passing: RunningGateway) -> None:
    call(passing.url, "GET", "/v1/files", headers={"x-tierwise-provider": "alpha"})
    passing.settle()
    figures = passing.orchestrator.ledger.report(now=1e12)
    group = figures.passed["alpha/files"]
    assert group.ok >= 1
    assert group.unknown_cost == group.requests
    assert (figures.requests, figures.cost_usd) == (0, 0.0)


@pytest.mark.parametrize("form", ["json", "text"])
def test_the_access_log_says_what_is_known_of_a_call_that_was_passed_through(
    elsewhere: Elsewhere, capfd: pytest.CaptureFixture[str], form: str
) -> None:
    server = {"api_keys": [KEY], "access_log": True, "log_format": form}
    with RunningGateway(config_for(elsewhere.url, server=server)) as gateway:
        made = call(
            gateway.url,
            "POST",
            "/v1/images/generations",
            {"model": "alpha/dall-e-3", "prompt": "a"},
        )
        call(gateway.url, "GET", "/v1/files")
    line, other = capfd.readouterr().err.splitlines()
    name = made.headers["x-tierwise-decision-id"]
    if form == "text":
        assert f"decision_id={name} " in line
        assert line.endswith(" model=dall-e-3")
        return
    read = json.loads(line)
    assert (read["decision_id"], read["model"]) == (name, "dall-e-3")
    assert (read["input_tokens"], read["output_tokens"]) == (7, 300)
    assert not {"model", "input_tokens", "cost_usd"} & json.loads(other).keys()
