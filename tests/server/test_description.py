"""What `GET /openapi.json` says is so: schemathesis holds the running gateway to it.

`TIERWISE_EXAMPLES` is how many requests are made up for each operation, beside those that try out
the bounds of every field; `make schemathesis` sets it higher.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fuzz.inside import KEY, Played, configured
from gateway import RunningGateway, call, until
from tierwise.server.description import description

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")

EXAMPLES = int(os.environ.get("TIERWISE_EXAMPLES", "10"))
DESCRIBED: dict[str, Any] = json.loads(description())
CONFIG = schemathesis.Config.from_dict(
    {
        "seed": 1,
        "auth": {
            "openapi": {
                "bearer": {"bearer": KEY},
                "x-api-key": {"api_key": KEY},
                "x-goog-api-key": {"api_key": KEY},
                "key": {"api_key": KEY},
            }
        },
        "generation": {
            "max-examples": EXAMPLES,
            "deterministic": True,
            "database": "none",
            "allow-extra-parameters": False,  # there may be others that mean nothing here
        },
        "checks": {
            # Of requests only what is read is described, and more may be wrong with them.
            "positive_data_acceptance": {"enabled": False},
            "negative_data_rejection": {
                "expected-statuses": [*range(400, 406), 408, 413, 415, 422, 429]
            },
        },
    }
)
SCHEMA = schemathesis.openapi.from_dict(DESCRIBED, config=CONFIG).exclude(tag="passed through")
GATEWAYS: dict[str, RunningGateway] = {}
MODELS = dict.fromkeys(
    (
        "/v1/embeddings",
        "/v1beta/models/{model}:embedContent",
        "/v1beta/models/{model}:batchEmbedContents",
    ),
    "vec-chat",
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway in front of providers of every dialect, which are played."""
    folder: Path = tmp_path_factory.mktemp("ledger")
    running = RunningGateway(configured(folder, {}))
    running.orchestrator._transport._connections = Played()
    with running:
        GATEWAYS[running.url] = running
        yield running.url
    del GATEWAYS[running.url]


def known(context: Any, name: str) -> str:
    """Every other made-up name of a model as one that there is."""
    return MODELS.get(context.operation.path, "auto") if name and len(name) % 2 else name


@SCHEMA.hook
def map_body(context: Any, body: Any) -> Any:
    if isinstance(body, dict) and isinstance(body.get("model"), str):
        return {**body, "model": known(context, body["model"])}
    return body


@SCHEMA.hook
def map_path_parameters(context: Any, path_parameters: Any) -> Any:
    if path_parameters and isinstance(path_parameters.get("model"), str):
        return {**path_parameters, "model": known(context, path_parameters["model"])}
    return path_parameters


@SCHEMA.parametrize()
def test_the_gateway_does_as_it_is_described(case: Any, url: str) -> None:
    case.call_and_validate(base_url=url)


def as_described(url: str, method: str, path: str, **parts: Any) -> Any:
    """Calls an operation, whose answer must be a success, and as it is described."""
    from schemathesis.specs.openapi.checks import ignored_auth

    case = SCHEMA[path][method].Case(headers={"authorization": f"Bearer {KEY}"}, **parts)
    answer = case.call_and_validate(base_url=url, excluded_checks=[ignored_auth])
    assert answer.status_code == 200
    return answer


def test_what_is_found_is_as_it_is_described(url: str) -> None:
    body = {"model": "auto", "input": "Hello"}
    answer = as_described(url, "POST", "/v1/responses", body=body, media_type="application/json")
    kept = {"response_id": answer.json()["id"]}
    as_described(url, "GET", "/v1/responses/{response_id}", path_parameters=kept)
    as_described(url, "GET", "/v1/responses/{response_id}/input_items", path_parameters=kept)
    as_described(url, "DELETE", "/v1/responses/{response_id}", path_parameters=kept)
    (name,) = answer.headers["x-tierwise-decision-id"]
    told = {"decision_id": name, "score": 0.5, "comment": "so so"}
    as_described(url, "POST", "/v1/feedback", body=told, media_type="application/json")
    until(lambda: call(url, "GET", f"/v1/decisions/{name}").status == 200, "a decision")
    decision = {"decision_id": name}
    as_described(url, "GET", "/v1/decisions/{decision_id}", path_parameters=decision)
    as_described(url, "GET", "/v1/models/{model}", path_parameters={"model": "m-chat"})
    as_described(url, "GET", "/v1beta/models/{model}", path_parameters={"model": "m-chat"})
    body = {"model": "vec-chat", "input": ["a", "b"]}
    answer = as_described(url, "POST", "/v1/embeddings", body=body, media_type="application/json")
    (name,) = answer.headers["x-request-id"]
    until(lambda: call(url, "GET", f"/v1/decisions/{name}").status == 200, "its record")
    decision = {"decision_id": name}
    as_described(url, "GET", "/v1/decisions/{decision_id}", path_parameters=decision)
    one = {"content": {"parts": [{"text": "a"}]}}
    for method, body in (("embedContent", one), ("batchEmbedContents", {"requests": [one, one]})):
        as_described(
            url,
            "POST",
            f"/v1beta/models/{{model}}:{method}",
            path_parameters={"model": "vec-chat"},
            body=body,
            media_type="application/json",
        )


def test_every_path_is_described(url: str) -> None:
    """Of those that the server knows; what is passed through is a matter of prefixes."""
    running = GATEWAYS[url].application._endpoints._rest
    known = {re.sub(r":path}", "}", route.path) for route in running.routes}
    described = {re.sub(r"{\w+}", "{}", path) for path in DESCRIBED["paths"]}
    also = {  # Gemini's paths under other roots
        f"{root}/{{}}:{method}"
        for root in ("/v1/models", "/v1beta1/publishers/google/models")
        for method in ("countTokens", "embedContent", "batchEmbedContents")
    }
    assert {re.sub(r"{\w+}", "{}", path) for path in known} - also <= described


def test_anybody_may_read_the_description(url: str) -> None:
    reply = call(url, "GET", "/openapi.json", key=None)
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert reply.json["openapi"] == "3.1.0"
    assert reply.json["info"]["version"]
