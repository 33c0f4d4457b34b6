"""A coding agent's conversations, answered as real providers once answered them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from clients.agents import AGENTS, AnthropicAgent
from clients.asked import READERS, Ask, Json
from clients.contract import Target
from clients.provider import ScriptedProvider
from clients.via_official import OFFICIAL
from gateway import KEY
from recordings.frames import frames
from recordings.recorded import Interaction, recording
from recordings.said import Said, bedrock_frames, streamed, whole

pytestmark = pytest.mark.process
FOLDER = Path(
    os.environ.get("TIERWISE_RECORDINGS", Path(__file__).parents[3] / "shared" / "cassettes")
)
CONVERSATIONS = (
    "anthropic/test_anthropic_tool_with_thinking",
    "anthropic/test_multiple_parallel_tool_calls",
    "anthropic/test_anthropic_text_output_function",
    "openai_responses/test_openai_responses_thinking_with_tool_calls",
    "openai_responses/test_openai_responses_phase_live",
    "openai_responses/test_openai_responses_requires_function_call_status_none",
    "openai_responses/test_native_output_multiple",
    "openai_responses/test_openai_responses_stream",
    "google/test_google_model_retry",
    "google/test_google_model_iter_stream",
    "google/test_google_prompted_output_with_tools",
    "google/test_google_tool_output",
    "bedrock/test_bedrock_anthropic_tool_with_thinking",
    "bedrock/test_bedrock_model_iter_stream",
    "bedrock/test_bedrock_model_structured_output",
    "bedrock/test_bedrock_model_retry",
)
"""Those of several turns whose tools are the client's."""
DIALECTS = {
    "anthropic": "anthropic",
    "openai_responses": "openai-responses",
    "google": "gemini",
    "bedrock": "bedrock",
}
THINKS = {
    "anthropic": {"thinking": {"type": "enabled", "budget_tokens": 3000}},
    "openai-responses": {
        "include": ["reasoning.encrypted_content"],
        "reasoning": {"effort": "low", "summary": "detailed"},
    },
    "gemini": {"thinking_config": {"include_thoughts": True}},
}
"""How clients of a dialect ask for thoughts that can be given back."""


def _recorded(name: str) -> tuple[Interaction, ...]:
    """The calls of one conversation; skips the test where they are absent."""
    try:
        return recording(FOLDER, name).interactions
    except FileNotFoundError:
        pytest.skip(f"{name} is not among the recordings in {FOLDER}")


@pytest.fixture(params=CONVERSATIONS)
def turns(request: pytest.FixtureRequest) -> tuple[Interaction, ...]:
    """Each of them."""
    return _recorded(request.param)


@pytest.fixture
def provider(turns: tuple[Interaction, ...], request: pytest.FixtureRequest) -> str:
    """What the recorded provider speaks."""
    return DIALECTS[request.node.callspec.params["turns"].partition("/")[0]]


@pytest.mark.parametrize("client", AGENTS)
def test_a_recorded_conversation_goes_on_turn_by_turn(
    client: str,
    turns: tuple[Interaction, ...],
    provider: str,
    running: str,
    scripted: ScriptedProvider,
) -> None:
    for sdk in OFFICIAL:
        if sdk.dialect == client and (missing := sdk.missing()):
            pytest.skip(f"{missing} is not installed")
    scripted.recorded += [(one.headers["content-type"], one.answered) for one in turns]
    asked = [_asked(one, provider) for one in turns]
    model = provider if provider != "bedrock" else "claude" if "claude" in turns[0].url else "nova"
    alike = client == provider or (client, model) == ("anthropic", "claude")
    more = THINKS.get(client, {}) if alike and _thoughts(turns) else {}
    agent = AGENTS[client](Target(running, KEY, f"recorded-{model}"), asked[0], more)
    calls: list[tuple[str, str, Any]] = []
    for place, one in enumerate(turns):
        if place:
            before, now = asked[place - 1], asked[place]
            given = now.results[len(before.results) :]
            assert [name for _, name, _ in calls] == [name for _, name, _ in given]
            ids = [called for called, _, _ in calls]
            texts = [text for _, _, text in given]
            names = [name for _, name, _ in given]
            agent.give(list(zip(ids, names, texts, strict=True)))
            for text in now.texts[len(before.texts) :]:
                agent.tell(text)
        got = agent.ask(stream=one.streamed)
        calls = got.calls
        expected = _said(one, provider)
        assert got.text == expected.text
        assert [(name, arguments) for _, name, arguments in calls] == expected.calls
    sent = scripted.bodies[-1]
    results = _read(provider, sent).results
    answers = b"".join(one.answered for one in turns)
    assert [one[1:] for one in results] == [one[1:] for one in asked[-1].results]
    if provider != "gemini":
        assert all(called.encode() in answers for called, _, _ in results)
    if alike:
        for thought in _thoughts(turns[:-1]):
            assert thought in _plain(sent)
    if isinstance(agent, AnthropicAgent) and model != "nova":  # which takes not all of them
        marks = json.dumps(sent).count("cache_control") + json.dumps(sent).count("cachePoint")
        assert marks == (agent.marks if model in ("anthropic", "claude") else 0)


def _asked(one: Interaction, dialect: str) -> Ask:
    return _read(dialect, one.question())


def _read(dialect: str, body: Json) -> Ask:
    return READERS[dialect]({"model": "m", **body})


def _said(one: Interaction, dialect: str) -> Said:
    if dialect == "bedrock" and one.streamed:
        return bedrock_frames(frames(one.answered))
    return (streamed if one.streamed else whole)(dialect, one.answered)


def _thoughts(turns: tuple[Interaction, ...]) -> list[str]:
    """All that has to be given back as it came."""
    return [found for one in turns for found in _signed(one.question() and _json(one))]


def _json(one: Interaction) -> Any:
    try:
        return json.loads(one.answered)
    except ValueError:
        return None


def _signed(value: Any) -> list[str]:
    if isinstance(value, list):
        return [found for one in value for found in _signed(one)]
    if not isinstance(value, dict):
        return []
    names = ("signature", "thoughtSignature", "encrypted_content")
    here = [_plain(value[name]) for name in names if isinstance(value.get(name), str)]
    return here + [found for one in value.values() for found in _signed(one)]


def _plain(value: Any) -> str:
    """As text, with base64 in one of its alphabets."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text.replace("-", "+").replace("_", "/")


@pytest.mark.parametrize("other", ["openai-chat", "openai-responses", "gemini"])
def test_a_conversation_that_moves_shows_thoughts_only_to_who_can_read_them(
    other: str, running: str, scripted: ScriptedProvider
) -> None:
    pytest.importorskip("anthropic")
    turns = _recorded(CONVERSATIONS[0])
    scripted.recorded += [(one.headers["content-type"], one.answered) for one in turns]
    [thought] = _thoughts(turns[:1])
    home = Target(running, KEY, "recorded-anthropic")
    agent = AnthropicAgent(home, _asked(turns[0], "anthropic"), THINKS["anthropic"])
    [(called, name, _)] = agent.ask(stream=False).calls
    agent.give([(called, name, "Mexico")])
    agent.to = Target(running, KEY, other)
    assert agent.ask(stream=False).text == f"{name}: Mexico"
    assert thought not in _plain(scripted.asked[-1].body)
    agent.tell("And where are we?")
    agent.to = home
    assert agent.ask(stream=False).text == _said(turns[1], "anthropic").text
    assert thought in _plain(scripted.bodies[-1])
    assert f"{name}: Mexico" in json.dumps(scripted.bodies[-1])
