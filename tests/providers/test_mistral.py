"""Mistral is asked in its own words, and without what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from builders import a_deployment, a_task
from recordings.calls import ABSENT, found
from tierwise.config.presets import PRESETS
from tierwise.providers.base import load_adapter
from tierwise.wire.chat.mistral import for_mistral, mistrals_id


def sent(**fields: Any) -> dict[str, Any]:
    preset = PRESETS["mistral"]
    adapter = load_adapter(preset.dialect)(
        a_deployment("mistral-small", quirks=preset.quirks, base_url=preset.base_url)
    )
    body: dict[str, Any] = json.loads(adapter.request(a_task(**fields)).body or b"")
    return body


def sent_messages(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        for_mistral(json.dumps({"model": "m", "messages": messages}).encode())
    )["messages"]
    return found


def test_parameters_have_its_names() -> None:
    body = sent(seed=7, max_completion_tokens=5, temperature=0.5)
    assert (body["random_seed"], body["max_tokens"], body["temperature"]) == (7, 5, 0.5)
    assert body.keys() == {"model", "messages", "random_seed", "max_tokens", "temperature"}


def test_labels_that_it_does_not_know_are_left_out() -> None:
    body = sent(
        user="u",
        store=True,
        safety_identifier="s",
        prompt_cache_key="k",
        stream=True,
        stream_options={"include_usage": True},
    )
    assert body.keys() == {"model", "messages", "prompt_cache_key", "stream"}


def test_a_parameter_that_matters_is_left_for_it_to_refuse() -> None:
    assert sent(logit_bias={"1": 5})["logit_bias"] == {"1": 5}


def test_messages_have_only_the_fields_that_it_knows() -> None:
    assert sent_messages(
        {"role": "developer", "content": "Be brief", "name": "d"},
        {"role": "user", "content": "Hi", "name": "u"},
        {"role": "assistant", "content": "Hello", "reasoning_content": "Hm.", "refusal": None},
    ) == [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
    ]


def test_documents_and_sounds_are_written_as_it_reads_them() -> None:
    pdf = "data:application/pdf;base64,QUJD"
    content = [
        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
        {"type": "file", "file": {"file_data": pdf, "filename": "a.pdf"}},
        {"type": "file", "file": {"file_data": "QUJD"}},
        {"type": "file", "file": {"file_id": "f1"}},
        {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}},
        {"type": "image_url", "image_url": {"url": "https://a/b.png"}},
    ]
    assert sent_messages({"role": "user", "content": content})[0]["content"] == [
        {"type": "text", "text": "a"},
        {"type": "document_url", "document_url": pdf, "document_name": "a.pdf"},
        {"type": "document_url", "document_url": pdf},
        {"type": "file", "file_id": "f1"},
        {"type": "input_audio", "input_audio": "QUJD"},
        {"type": "image_url", "image_url": {"url": "https://a/b.png"}},
    ]


def test_calls_of_other_providers_and_their_results_keep_together() -> None:
    call = {"id": "call_abc", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    made, result = sent_messages(
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_abc", "content": "1"},
    )
    id_ = made["tool_calls"][0]["id"]
    assert len(id_) == 9
    assert id_.isalnum()
    assert result["tool_call_id"] == id_


@pytest.mark.parametrize("id_", ["3sniiMddS", "D681PevKs"])
def test_its_own_ids_stay(id_: str) -> None:
    assert mistrals_id(id_) == id_


def test_different_ids_stay_different() -> None:
    ids = {mistrals_id(f"call_{number}") for number in range(1000)}
    assert len(ids) == 1000


@pytest.mark.parametrize("body", [b"", b"[]", b'{"messages":3}', b'{"messages":[{"role":3}]}'])
def test_what_cannot_be_read_is_sent_as_it_is(body: bytes) -> None:
    assert for_mistral(body) == body


def test_what_it_was_sent_in_recordings_it_is_sent_again() -> None:
    requests = [call.question() for _, call in found("mistral")]
    if not requests:
        pytest.skip(ABSENT)
    for request in requests:
        again = json.loads(for_mistral(json.dumps(request).encode()))
        assert again == request
