"""What the library passes through to a provider as it is."""

from __future__ import annotations

import asyncio
import gc
import json
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest

from elsewhere import LARGE, Elsewhere
from gateway import PATIENCE_S, UPSTREAM_KEY, config_for
from tierwise import Orchestrator, SyncOrchestrator
from tierwise.errors import ConnectFailed, InvalidRequest, UnknownProvider, Unsatisfiable
from tierwise.through import PassedThrough


def two_at(url: str) -> dict[str, Any]:
    """A configuration of `alpha` and `beta`, two accounts at the same place."""
    data = config_for(url)
    data["providers"]["beta"] = {
        **data["providers"]["alpha"], "api_key": "other-key", "models": ["small"],
    }  # fmt: skip
    return data


def fields_of(got: dict[str, Any]) -> dict[str, list[tuple[str | None, str, bytes]]]:
    """The fields of a form: file name, content type and content of each."""
    head = f"content-type: {got['headers']['content-type']}\r\n\r\n".encode()
    form: Message = BytesParser().parsebytes(head + got["body"])
    found: dict[str, list[tuple[str | None, str, bytes]]] = {}
    for part in form.get_payload():
        assert isinstance(part, Message)
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        name = str(part.get_param("name", header="content-disposition"))
        found.setdefault(name, []).append((part.get_filename(), part.get_content_type(), content))
    return found


async def test_a_call_goes_to_the_provider_that_is_named_with_its_key(
    elsewhere: Elsewhere,
) -> None:
    async with Orchestrator.from_config(two_at(elsewhere.url)) as o:
        answer = await o.pass_through(
            "POST",
            "/v1/images/variations",
            provider="beta",
            json={"model": "dall-e-3", "prompt": "a cat"},
            query={"a": "1 2", "b": ["3", "4"]},
            headers={"x-own": "kept", "authorization": "Bearer mine"},
        )
    assert (answer.provider, answer.status, answer.json()) == ("beta", 200, {"ok": True})
    assert (answer.headers["x-own"], answer.headers["x-request-id"]) == ("1", "req_1")
    [got] = elsewhere.got
    assert (got["method"], got["path"]) == ("POST", "/v1/images/variations?a=1+2&b=3&b=4")
    assert json.loads(got["body"]) == {"model": "dall-e-3", "prompt": "a cat"}
    headers = got["headers"]
    assert (headers["authorization"], headers["x-own"]) == ("Bearer other-key", "kept")
    assert headers["content-type"] == "application/json"


async def test_a_model_s_prefix_names_the_provider_and_is_taken_off(elsewhere: Elsewhere) -> None:
    async with Orchestrator.from_config(two_at(elsewhere.url)) as o:
        answer = await o.pass_through(
            "POST", "/v1/moderations", json={"model": "alpha/omni", "input": "Hello"}
        )
    [got] = elsewhere.got
    assert answer.provider == "alpha"
    assert json.loads(got["body"]) == {"model": "omni", "input": "Hello"}
    assert got["headers"]["authorization"] == f"Bearer {UPSTREAM_KEY}"


async def test_a_single_provider_need_not_be_named(elsewhere: Elsewhere) -> None:
    async with Orchestrator.from_config(config_for(elsewhere.url)) as o:
        assert (await o.pass_through("get", "/v1/files")).status == 200
        with pytest.raises(UnknownProvider, match="Name the provider as `provider`"):
            await o.pass_through("GET", "/v1/assistants")  # nobody knows whose this is
        assert (await o.pass_through("GET", "/v1/assistants", provider="alpha")).status == 200
    assert [got["method"] for got in elsewhere.got] == ["GET", "GET"]
    assert all(got["size"] == 0 for got in elsewhere.got)


async def test_a_form_holds_files_by_their_names(elsewhere: Elsewhere, tmp_path: Path) -> None:
    lines = tmp_path / "lines.jsonl"
    lines.write_bytes(b"{}\n" * 100)
    form: dict[str, Any] = {
        "purpose": "batch",
        "temperature": 0.5,
        "stream": False,
        "include[]": ["one", "two"],
        "file": lines,
        "image": ('a "cat".png', b"\x89PNG"),
        "mask": b"raw",
    }
    async with Orchestrator.from_config(config_for(elsewhere.url)) as o:
        assert (await o.pass_through("POST", "/v1/files", form=form)).status == 200
    [got] = elsewhere.got
    assert got["headers"]["content-length"] == str(got["size"])
    found = fields_of(got)
    assert found["purpose"] == [(None, "text/plain", b"batch")]
    assert [found[name][0][2] for name in ("temperature", "stream")] == [b"0.5", b"false"]
    assert [content for _, _, content in found["include[]"]] == [b"one", b"two"]
    assert (found["file"][0][0], found["file"][0][2]) == ("lines.jsonl", lines.read_bytes())
    assert found["image"] == [("a %22cat%22.png", "image/png", b"\x89PNG")]
    assert found["mask"] == [("mask", "application/octet-stream", b"raw")]


async def test_a_large_file_goes_and_comes_in_pieces(elsewhere: Elsewhere, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(b"x" * LARGE)
    async with Orchestrator.from_config(config_for(elsewhere.url)) as o:
        await o.pass_through("POST", "/v1/uploads/u/parts", content=large)
        assert elsewhere.got[0]["size"] == LARGE
        assert elsewhere.got[0]["headers"]["content-length"] == str(LARGE)
        stream = await o.pass_through_stream("GET", "/v1/files/f/content")
        assert (stream.status, stream.provider) == (200, "alpha")
        assert stream.headers["content-type"] == "application/octet-stream"
        pieces = [piece async for piece in stream]
    assert len(pieces) > 1
    assert sum(map(len, pieces)) == LARGE >> 16 << 16


async def test_the_provider_s_errors_are_its_own(elsewhere: Elsewhere) -> None:
    async with Orchestrator.from_config(config_for(elsewhere.url)) as o:
        answer = await o.pass_through("GET", "/v1/files/missing")
    assert (answer.status, answer.json()) == (404, {"error": {"message": "gone"}})
    assert answer.headers["retry-after"] == "7"


async def test_cancelling_a_call_ends_it(elsewhere: Elsewhere) -> None:
    async with Orchestrator.from_config(config_for(elsewhere.url)) as o:
        asked = asyncio.create_task(o.pass_through("GET", "/v1/files/slow"))
        assert await asyncio.to_thread(elsewhere.arrived.wait, PATIENCE_S)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert await asyncio.to_thread(elsewhere.gone.wait, PATIENCE_S)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"path": "v1/files"}, "path"),
        ({"path": "/v1/files?limit=2"}, "path"),
        ({"path": "/v1/files/../models"}, None),
        ({"path": "/v1/files/%2e%2E/models"}, None),
        ({"method": "GET /"}, "method"),
        ({"json": {}, "form": {}}, "form"),
        ({"json": {"a": object()}}, "a"),
        ({"content": "text"}, "content"),
        ({"content": Path("/no/such/file")}, "content"),
        ({"form": {"file": object()}}, "file"),
        ({"form": {"file": ("name", "text")}}, "file"),
        ({"form": {"file": ()}}, "file"),
        ({"form": {"file": Path("/no/such/file")}}, "file"),
    ],
)
async def test_what_cannot_be_used_is_refused_and_nobody_is_asked(
    elsewhere: Elsewhere, given: dict[str, Any], field: str | None
) -> None:
    async with Orchestrator.from_config(config_for(elsewhere.url)) as o:
        for ask in (o.pass_through, o.pass_through_stream):
            with pytest.raises(InvalidRequest) as caught:
                await ask(**{"method": "POST", "path": "/v1/files", **given})
            assert caught.value.param == field
    assert not elsewhere.got


async def test_of_several_providers_one_must_be_named(elsewhere: Elsewhere) -> None:
    async with Orchestrator.from_config(two_at(elsewhere.url)) as o:
        with pytest.raises(UnknownProvider, match="alpha, beta") as caught:
            await o.pass_through("POST", "/v1/moderations", json={"input": "Hello"})
        assert caught.value.param == "provider"
        with pytest.raises(UnknownProvider, match="'gamma'"):
            await o.pass_through("GET", "/v1/files", provider="gamma")
    assert not elsewhere.got


async def test_who_cannot_be_asked_is_said_by_an_error() -> None:
    async with Orchestrator.from_config(config_for("http://127.0.0.1:9/v1")) as o:
        with pytest.raises(ConnectFailed):
            await o.pass_through("GET", "/v1/files")
    data = config_for("http://127.0.0.1:9/v1")
    data["providers"]["alpha"]["dialect"] = "bedrock"
    async with Orchestrator.from_config(data) as o:
        with pytest.raises(Unsatisfiable, match="no plain key") as caught:
            await o.pass_through("GET", "/v1/files", provider="alpha")
        assert caught.value.param == "provider"


def test_so_it_is_without_await(elsewhere: Elsewhere) -> None:
    with SyncOrchestrator(config_for(elsewhere.url)) as o:
        assert o.pass_through("GET", "/v1/files", query={"limit": 2}).json() == {"ok": True}
        assert elsewhere.got[0]["path"] == "/v1/files?limit=2"
        with o.pass_through_stream("GET", "/v1/files/f/content") as stream:
            assert (stream.status, stream.provider) == (200, "alpha")
            assert sum(map(len, stream)) == LARGE >> 16 << 16
        for piece in o.pass_through_stream("GET", "/v1/files/f/content"):
            assert piece[:1] == b"x"
            break


async def test_calls_are_in_the_ledger_as_the_gateway_s_are(elsewhere: Elsewhere) -> None:
    async with Orchestrator.from_config(config_for(elsewhere.url)) as o:
        made = await o.pass_through(
            "POST", "/v1/images/generations", json={"model": "alpha/gpt-image-1", "prompt": "a cat"}
        )
        told = await o.decision(made.decision_id)
        other = await o.pass_through("GET", "/v1/assistants", provider="alpha", query={"a": "b"})
        failed = await o.pass_through("GET", "/v1/files/missing")
        assert o.ledger.flush()
        latest, before, _ = o.ledger.asides()
        figures = o.ledger.report(now=1e12)
    assert (told["kind"], told["asked"]) == ("images", "POST /v1/images/generations")
    assert (told["provider"], told["status"], told["code"]) == ("alpha", "ok", 200)
    assert told["cost_usd"] is None
    assert (before.id, before.kind) == (other.decision_id, "passthrough")
    assert before.asked == "GET /v1/assistants"
    assert (latest.id, latest.status, latest.code) == (failed.decision_id, "error", 404)
    assert figures.passed["alpha/images"].requests == 1
    assert figures.requests == 0


async def test_what_a_provider_says_of_usage_is_kept(elsewhere: Elsewhere) -> None:
    async with Orchestrator.from_config(two_at(elsewhere.url)) as o:
        made = await o.pass_through(
            "POST", "/v1/images/generations", json={"model": "beta/gpt-image-1", "prompt": "a cat"}
        )
        told = await o.decision(made.decision_id)
    assert made.json()["usage"]["output_tokens"] == 300  # it came packed
    assert (told["input_tokens"], told["output_tokens"]) == (7, 300)


async def test_a_stream_is_in_the_ledger_once_it_is_over(elsewhere: Elsewhere) -> None:
    async with Orchestrator.from_config(config_for(elsewhere.url)) as o:
        whole = await o.pass_through_stream("GET", "/v1/files/f/content")
        assert o.ledger.flush()
        assert o.ledger.asides() == []
        assert [piece async for piece in whole]
        async with await o.pass_through_stream("GET", "/v1/files/f/content") as left:
            pass
        ends = [(await o.decision(one.decision_id))["status"] for one in (whole, left)]
        assert len(o.ledger.asides()) == 2
    assert ends == ["ok", "cancelled"]


async def test_a_stream_that_is_forgotten_is_in_the_ledger_and_its_call_ends(
    elsewhere: Elsewhere,
) -> None:
    async with Orchestrator.from_config(config_for(elsewhere.url)) as o:
        with pytest.warns(ResourceWarning, match="'alpha' answers was neither read"):
            name = (await o.pass_through_stream("GET", "/v1/files/endless")).decision_id
        assert (await o.decision(name))["status"] == "cancelled"
        assert await asyncio.to_thread(elsewhere.gone.wait, PATIENCE_S)


async def test_a_stream_that_is_half_read_and_forgotten_is_so_too(elsewhere: Elsewhere) -> None:
    async with Orchestrator.from_config(config_for(elsewhere.url)) as o:
        stream = await o.pass_through_stream("GET", "/v1/files/f/content")
        name, pieces = stream.decision_id, aiter(stream)
        assert await anext(pieces)
        del stream, pieces
        gc.collect()
        await asyncio.sleep(0)
        assert (await o.decision(name))["status"] == "cancelled"


async def test_a_stream_that_is_open_when_the_orchestrator_closes_is_in_the_ledger(
    elsewhere: Elsewhere, recwarn: pytest.WarningsRecorder
) -> None:
    async with Orchestrator.from_config(config_for(elsewhere.url)) as o:
        stream = await o.pass_through_stream("GET", "/v1/files/endless")
        await o.retire()  # as `close` does before the ledger's turn
        assert (await o.decision(stream.decision_id))["status"] == "cancelled"
        del stream
        gc.collect()
    assert not [one for one in recwarn if issubclass(one.category, ResourceWarning)]


def test_a_stream_without_await_that_is_forgotten_is_in_the_ledger(elsewhere: Elsewhere) -> None:
    with SyncOrchestrator(config_for(elsewhere.url)) as o:
        with pytest.warns(ResourceWarning, match="neither read"):
            name = o.pass_through_stream("GET", "/v1/files/endless").decision_id
        assert o.decision(name)["status"] == "cancelled"
        assert elsewhere.gone.wait(PATIENCE_S)


async def test_a_call_that_fails_is_in_the_ledger_under_the_name_that_its_error_has() -> None:
    async with Orchestrator.from_config(config_for("http://127.0.0.1:9/v1")) as o:
        with pytest.raises(ConnectFailed) as caught:
            await o.pass_through("GET", "/v1/files")
        assert caught.value.decision_id is not None
        told = await o.decision(caught.value.decision_id)
    assert (told["status"], told["code"]) == ("error", None)
    assert told["error"].startswith("ConnectFailed: ")


def test_an_answer_that_cannot_be_unpacked_says_so() -> None:
    for codings, said in (("gzip", "'gzip'"), ("compress", "accept-encoding: identity")):
        answer = PassedThrough("alpha", 200, {"content-encoding": codings}, b"{}", "1")
        with pytest.raises(ValueError, match=said):
            answer.json()
