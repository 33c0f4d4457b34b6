"""Google's clients that ask for embeddings, before providers of other dialects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web
from google import genai
from google.genai import errors, types

from gateway import KEY, Reply, RunningGateway, call
from vectors import Embeds, config

OWN = {"x-goog-api-key": KEY}


@pytest.fixture
def client(running: RunningGateway) -> Iterator[genai.Client]:
    options = types.HttpOptions(base_url=running.url)
    with genai.Client(api_key=KEY, http_options=options) as client:
        yield client


def content(text: str) -> dict[str, Any]:
    return {"content": {"parts": [{"text": text}]}}


def ask(
    url: str, body: Any, method: str = "embedContent", model: str = "vectors", root: str = "/v1beta"
) -> Reply:
    path = f"{root}/models/{model}:{method}"
    return call(url, "POST", path, body, key=None, headers=OWN)


def field_of(reply: Reply) -> str:
    """The field that an error in Google's shape names."""
    error = reply.json["error"]
    assert error["code"] == reply.status
    [named] = [one["fieldViolations"] for one in error["details"] if "fieldViolations" in one]
    assert f"`{named[0]['field']}`" in error["message"]
    return str(named[0]["field"])


def test_googles_own_client_embeds(client: genai.Client, embeds: Embeds) -> None:
    found = client.models.embed_content(
        model="vectors",
        contents=["one", "three"],
        config=types.EmbedContentConfig(output_dimensionality=2),
    )
    assert found.embeddings is not None
    assert [one.values for one in found.embeddings] == [[3.0, 0.5], [5.0, 0.5]]
    [(key, asked)] = embeds.asked
    provider = key.removesuffix("-key")
    assert asked == {"model": f"{provider}-vectors", "input": ["one", "three"], "dimensions": 2}


async def test_so_does_its_asynchronous_one(client: genai.Client) -> None:
    found = await client.aio.models.embed_content(model="vectors", contents="seven")
    assert found.embeddings is not None
    assert [one.values for one in found.embeddings] == [[5.0, 0.5]]


def test_it_reads_the_errors(client: genai.Client) -> None:
    with pytest.raises(errors.ClientError) as caught:
        client.models.embed_content(model="none-such", contents="one")
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")


def test_what_no_provider_can_be_told_is_refused_in_googles_words(
    client: genai.Client, embeds: Embeds
) -> None:
    config = types.EmbedContentConfig(task_type="RETRIEVAL_QUERY")
    with pytest.raises(errors.ClientError) as caught:
        client.models.embed_content(model="vectors", contents="one", config=config)
    assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")
    assert "`taskType`" in str(caught.value.message)
    assert not embeds.asked


def test_the_lists_of_its_client_have_the_model(client: genai.Client) -> None:
    listed = {one.name: one.supported_actions for one in client.models.list()}
    assert listed["models/vectors"] == ["embedContent", "batchEmbedContents"]
    assert client.models.get(model="vectors").name == "models/vectors"


@pytest.mark.parametrize("root", ["/v1beta", "/v1", "/v1beta1/publishers/google"])
def test_one_text_has_one_vector(running: RunningGateway, root: str) -> None:
    reply = ask(running.url, {"model": "models/vectors", **content("three")}, root=root)
    assert reply.status == 200
    assert reply.json["embedding"] == {"values": [5.0, 0.5]}
    assert reply.json["usageMetadata"]["promptTokenCount"] == 1000
    assert reply.headers["x-tierwise-model"] == "vectors"
    assert reply.headers["x-tierwise-cost-usd"] == "0.00200000"


def test_settings_may_stand_in_an_object_of_their_own(
    running: RunningGateway, embeds: Embeds
) -> None:
    body = {**content("one"), "embedContentConfig": {"outputDimensionality": 2}}
    assert ask(running.url, body).status == 200
    assert embeds.asked[0][1]["dimensions"] == 2


def test_a_provider_is_named_with_the_model(running: RunningGateway) -> None:
    reply = ask(running.url, content("one"), model="gamma/vectors")
    assert (reply.status, reply.headers["x-tierwise-deployment"]) == (200, "gamma/vectors")


def test_an_unspecified_task_says_nothing(running: RunningGateway) -> None:
    body = {**content("one"), "taskType": "TASK_TYPE_UNSPECIFIED"}
    assert ask(running.url, body).status == 200


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("content", {}),
        ("content", {"content": 5}),
        ("content.parts", {"content": {"parts": []}}),
        ("content.parts", {"content": {"parts": [{"text": "one"}, {"text": "two"}]}}),
        ("content.parts[0].text", {"content": {"parts": [{"text": ""}]}}),
        ("content.parts[0].text", {"content": {"parts": [{"text": 5}]}}),
        ("content.parts[0].inlineData", {"content": {"parts": [{"inlineData": {}}]}}),
        ("model", {"model": "models/other", **content("one")}),
        ("outputDimensionality", {**content("one"), "outputDimensionality": 0}),
        ("autoTruncate", {**content("one"), "autoTruncate": True}),
        ("title", {**content("one"), "title": "a title"}),
        ("embedContentConfig.x", {**content("one"), "embedContentConfig": {"x": 1}}),
    ],
)
def test_what_is_wrong_is_named(
    running: RunningGateway, embeds: Embeds, field: str, body: dict[str, Any]
) -> None:
    reply = ask(running.url, body)
    assert (reply.status, field_of(reply)) == (400, field)
    assert not embeds.asked


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("requests", {}),
        ("requests", {"requests": []}),
        ("requests", {"requests": [content("x")] * 2049}),
        ("requests[1].content", {"requests": [content("one"), {}]}),
        (
            "requests[1].outputDimensionality",
            {"requests": [content("one"), {**content("two"), "outputDimensionality": 5}]},
        ),
        ("other", {"requests": [content("one")], "other": 1}),
    ],
)
def test_what_is_wrong_in_a_batch_is_named_with_its_place(
    running: RunningGateway, field: str, body: dict[str, Any]
) -> None:
    reply = ask(running.url, body, "batchEmbedContents")
    assert (reply.status, field_of(reply)) == (400, field)


@pytest.mark.parametrize("method", ["embedContent", "batchEmbedContents"])
@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'"x"', b"[" * 5000])
def test_a_body_that_is_no_object_is_refused(
    running: RunningGateway, method: str, body: bytes
) -> None:
    reply = ask(running.url, body, method)
    assert (reply.status, reply.json["error"]["status"]) == (400, "INVALID_ARGUMENT")


def test_a_refusal_of_a_provider_keeps_the_field_and_the_code_that_it_names(
    running: RunningGateway, embeds: Embeds
) -> None:
    def refused(_: Any) -> web.Response:
        said = {"message": "`dimensions` is too large", "param": "dimensions", "code": "too_large"}
        return web.json_response({"error": said}, status=400)

    embeds.answers = dict.fromkeys(("beta-key", "gamma-key"), refused)
    reply = ask(running.url, {**content("one"), "outputDimensionality": 9})
    assert (reply.status, field_of(reply)) == (400, "dimensions")
    assert "TOO_LARGE" in [one.get("reason") for one in reply.json["error"]["details"]]


def test_a_wrong_key_is_refused_in_googles_shape(running: RunningGateway) -> None:
    path = "/v1beta/models/vectors:embedContent"
    reply = call(running.url, "POST", path, content("one"), key="wrong")
    assert (reply.status, reply.json["error"]["status"]) == (401, "UNAUTHENTICATED")


def test_they_are_in_the_ledger(running: RunningGateway) -> None:
    reply = ask(running.url, content("one"))
    running.settle()
    [one] = running.orchestrator.ledger.asides()
    assert (one.id, one.cost_usd) == (reply.headers["x-request-id"], 0.002)


def test_a_purpose_reaches_a_provider_that_has_a_word_for_it() -> None:
    """Google's own, and Cohere's: both stand behind what the client calls by Google's names."""
    got: list[tuple[str, dict[str, Any]]] = []

    async def google(request: web.Request) -> web.Response:
        got.append(("google", await request.json()))
        return web.json_response({"embeddings": [{"values": [1.0]}]})

    async def cohere(request: web.Request) -> web.Response:
        got.append(("cohere", await request.json()))
        answer = {"embeddings": {"float": [[2.0]]}, "meta": {"billed_units": {"input_tokens": 3}}}
        return web.json_response(answer)

    with Embeds(more={"/g/models/up:batchEmbedContents": google, "/c/v2/embed": cohere}) as both:
        root = both.url.removesuffix("/v1")
        data = config(both.url)
        for name, dialect, base in (("g", "gemini", f"{root}/g"), ("c", "cohere", f"{root}/c/v2")):
            served = {"model": f"of-{name}", "upstream": "up"}
            data["providers"][name] = {
                "dialect": dialect, "base_url": base, "api_key": "k", "embeddings": [served],
            }  # fmt: skip
            data["models"][f"of-{name}"] = {"prices": {"input": 2, "output": 0}}
        with RunningGateway(data) as gateway:
            body = {**content("one"), "taskType": "RETRIEVAL_DOCUMENT"}
            replies = [ask(gateway.url, body, model=f"of-{name}") for name in "gc"]
    assert [one.json.get("embedding") for one in replies] == [{"values": [1.0]}, {"values": [2.0]}]
    asked = dict(got)
    assert asked["google"]["requests"][0]["taskType"] == "RETRIEVAL_DOCUMENT"
    assert asked["cohere"]["input_type"] == "search_document"
