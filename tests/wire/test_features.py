"""What a request uses, and what of it a dialect has no words for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from plain import PLAIN, a_plain_task, install
from tierwise.wire.conversation import (
    Conversation,
    Document,
    Foreign,
    Sampling,
    Source,
    Thinking,
    ToolResult,
    Turn,
)
from tierwise.wire.dialect import dialect_named
from tierwise.wire.features import CONTENT, FEATURES, LABELS, Lack, features_of, unsupported
from tierwise.wire.translate import conversation_of


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)


def asked(content: Any = "Hi", **fields: Any) -> Conversation:
    """What a chat client asks."""
    messages = [{"role": "user", "content": content}]
    body = json.dumps({"model": "m", "messages": messages, **fields})
    return dialect_named("openai-chat").read_request(body.encode())


def words(conversation: Conversation, dialect: str = "plain") -> list[str]:
    return [lack.word for lack in unsupported(conversation, dialect)]


def test_what_a_dialect_has_words_for_is_not_missing() -> None:
    tool = {"type": "function", "function": {"name": "look"}}
    assert words(asked(temperature=0.5, max_tokens=3, tools=[tool])) == []


def test_what_it_has_none_for_is_told_in_the_clients_own_words() -> None:
    found = unsupported(asked(seed=7, n=2, response_format={"type": "json_object"}), "plain")
    assert found == [
        Lack("json_mode", "response_format"), Lack("seed", "seed"), Lack("choices", "n"),
    ]  # fmt: skip


def test_nothing_is_missing_in_the_clients_own_dialect() -> None:
    assert words(asked(seed=7, mirostat=2), "openai-chat") == []


def test_a_field_that_one_dialect_alone_knows_is_missing_elsewhere() -> None:
    assert unsupported(asked(mirostat=2), "plain") == [Lack("field", "mirostat")]
    plain = conversation_of(a_plain_task("Hi", rare=1))
    assert unsupported(plain, "openai-chat") == [Lack("field", "rare")]


def test_a_search_is_asked_for_by_an_empty_object_too() -> None:
    assert words(asked(web_search_options={})) == ["web_search_options"]
    assert words(asked(web_search_options=None)) == []


@pytest.mark.parametrize(
    "field",
    [
        {"user": "u"}, {"metadata": {"a": "b"}}, {"store": True}, {"prompt_cache_key": "k"},
        {"safety_identifier": "s"}, {"prediction": {"type": "content", "content": "x"}},
        {"stream_options": {"include_obfuscation": True}}, {"modalities": ["text"]},
        {"mirostat": None}, {"mirostat": False}, {"mirostat": []},
    ],
    ids=str,
)  # fmt: skip
def test_what_only_labels_a_request_or_asks_for_nothing_is_not_missed(field: Any) -> None:
    assert words(asked(stream=True, **field)) == []


@pytest.mark.parametrize(
    ("dialect", "name"), [(one, name) for one, names in LABELS.items() for name in sorted(names)]
)
def test_labels_of_any_dialect_are_left_out_without_a_word(dialect: str, name: str) -> None:
    one = Conversation(dialect=dialect, model="m", turns=(), own={name: Raw(b'"x"')})
    assert words(one) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"frequency_penalty": 0, "presence_penalty": 0}, {"logit_bias": {}}, {"n": 1},
        {"verbosity": "medium"}, {"service_tier": "auto"}, {"tool_choice": "none"},
        {"parallel_tool_calls": False},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_asked_for_as_it_is_anyway_is_not_missed(fields: Any) -> None:
    assert words(asked(**fields)) == []


@pytest.mark.parametrize(("budget", "used"), [(0, False), (-1, False), (2000, True)])
def test_how_much_is_thought_matters_only_where_it_is_a_number(budget: int, used: bool) -> None:
    one = Conversation(dialect="plain", model="m", turns=(), thinking=Thinking(budget=budget))
    assert ("thinking_budget" in features_of(one)) is used


@pytest.mark.parametrize(
    ("settings", "used"),
    [
        ([], False),
        ([{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}], False),
        ([{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}], False),
        ([{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_ONLY_HIGH"}], True),
        ([{"category": "HARM_CATEGORY_HARASSMENT"}], True),
        (["HARM_CATEGORY_HARASSMENT"], True),
        ({"threshold": "OFF"}, False),
    ],
    ids=str,
)
def test_filters_matter_only_where_they_shall_block(settings: Any, used: bool) -> None:
    safety = Raw(json.dumps(settings).encode())
    one = Conversation(dialect="gemini", model="m", turns=(), safety=safety)
    assert ("safety" in features_of(one)) is used


def test_a_file_that_lies_with_one_provider_is_not_to_be_found_at_another() -> None:
    file = Document(source=Source(file_id="file-1"))
    one = Conversation(dialect="plain", model="m", turns=(Turn(role="user", parts=(file,)),))
    assert unsupported(one, "openai-chat") == [Lack("document_file", "document_file")]


def test_tools_and_pieces_that_one_dialect_alone_knows_are_told_once() -> None:
    search = Foreign(origin="other", what="web_search", raw=Raw(b"{}"))
    used = Foreign(origin="other", what="search_result", raw=Raw(b"{}"))
    hint = Foreign(origin="other", what="hint", raw=Raw(b"{}"), binding=False)
    said = ToolResult(call_id="1", parts=(used,))
    one = Conversation(
        dialect="openai-chat",
        model="m",
        turns=(Turn(role="user", parts=(used, hint)), Turn(role="tool", parts=(said,))),
        foreign_tools=(search, search),
    )
    assert unsupported(one, "plain") == [Lack("tool", "web_search"), Lack("piece", "search_result")]
    assert [str(lack) for lack in unsupported(one, "plain")] == [
        "the tool `web_search`", "`search_result`",
    ]  # fmt: skip


def test_parts_of_the_question_are_named_by_what_they_are_as_well() -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    (lack,) = unsupported(asked([picture]), "plain")
    assert str(lack) == "image url (`messages.content.image_url`)"
    begun = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Well"}]
    assert unsupported(asked(messages=begun), "plain") == [Lack("prefill", "messages")]
    assert str(Lack("prefill", "messages")) == "an answer that is begun (`messages`)"
    assert str(Lack("seed", "seed")) == "`seed`"


def test_a_picture_is_content_and_a_seed_is_not() -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    found = unsupported(asked([picture], seed=7), "plain")
    assert [(lack.feature, lack.is_content) for lack in found] == [
        ("image_url", True), ("seed", False),
    ]  # fmt: skip
    assert set(FEATURES) >= CONTENT


def test_every_feature_is_told_by_its_own_name_where_the_client_has_none() -> None:
    sampling = Sampling(top_k=5)
    one = Conversation(dialect="plain", model="m", turns=(), sampling=sampling, choices=2)
    assert "choices" not in PLAIN.words
    assert features_of(one) == {"top_k", "choices"}
    assert words(one, "openai-chat") == []
