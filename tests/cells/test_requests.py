"""Each client's dialect, each provider, all that can be asked: it is said, or refused by name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

import pytest
from msgspec.structs import replace

from builders import a_deployment, a_model, a_policy, a_profile
from cells.asked import BODIES, CHAT, NOTHING, OF_CLIENT, REFUSED, Expected, Json, Places
from cells.samples import ASKED, CLIENTS, PLAIN, SAMPLES, Body
from tierwise.config.presets import PRESETS
from tierwise.errors import Unsatisfiable
from tierwise.providers.base import BUILTIN, Adapter, lacks_of, load_adapter
from tierwise.providers.translating import speaking
from tierwise.routing import PriorPredictor, Router
from tierwise.types import Task
from tierwise.wire.dialect import dialect_named
from tierwise.wire.features import CONTENT, FEATURES
from tierwise.wire.translate import task_of

MODELS = {
    "openai_compatible": "any",
    "azure": "gpt-4o",
    "mistral": "mistral-small-2603",
    "openai_responses": "gpt-5.4",
    "anthropic": "claude-opus-4-5",
    "gemini": "gemini-2.0-flash",
    "vertex": "gemini-3.8-flash",
    "bedrock": "anthropic.claude-opus-4-5-20251101-v1:0",
    "cohere": "command-a-03-2025",
}
BASES = {"azure": "https://mine.openai.azure.com"}
MAY_CHANGE = {"model", "stream_options", "max_tokens", "max_completion_tokens"}
"""What an adapter may change in the words of its own dialect."""


def an_adapter(name: str, preset_name: str = "", model: str = "") -> Adapter:
    """The adapter of that name, of a provider that is known by the same name or another."""
    preset, model = PRESETS.get(preset_name or name), model or MODELS[name]
    deployment = a_deployment(
        "m", "p", dialect=name, upstream_model=model, api_key="key", region="us-east-1",
        base_url=BASES.get(name, "https://example.org"),
        quirks=preset.quirks if preset is not None else frozenset(),
        lacks=preset.lacks_of(name, model) if preset is not None else frozenset(),
    )  # fmt: skip
    return load_adapter(name)(deployment)


def a_body(client: str, sample: str) -> Body:
    return deepcopy({**PLAIN[client], **SAMPLES[client][sample]})


def asks(client: str, sample: str) -> Task:
    body = json.dumps(a_body(client, sample)).encode()
    task = task_of(dialect_named(client).read_request(body), body)
    return replace(task, model="m", stream=sample.startswith("stream"))


def decided(adapter: Adapter, task: Task) -> tuple[str, ...]:
    """What is left out of a task; raises `Unsatisfiable` where the adapter is not asked it."""
    place = adapter.deployment
    served = {"m": [place]}
    router = Router(
        {"m": a_model("m")}, served, {"auto": a_policy()}, PriorPredictor(),
        {place.id: adapter.speaks}, {place.id: lacks_of(adapter)},
    )  # fmt: skip
    unsaid = router.unsaid(task)
    router.decide(task, a_profile(), decision_id="d", now=1.0, latency={}, unsaid=unsaid)
    return unsaid.dropped(place.id) if unsaid is not None else ()


def at(body: Any, path: str) -> Iterator[Any]:
    """What stands at a path."""
    if not path:
        yield body
        return
    step, _, rest = path.partition(".")
    if isinstance(body, list):
        chosen = body if step == "*" else body[int(step) : int(step) + 1] if step.isdigit() else []
        for one in chosen:
            yield from at(one, rest)
    elif isinstance(body, Mapping) and step in body:
        yield from at(body[step], rest)


def is_there(body: Any, path: str, expected: Any) -> bool:
    found = list(at(body, path))
    if expected is NOTHING:
        return not found
    if isinstance(expected, Json):
        return any(json.loads(one) == expected.value for one in found)
    return expected in found


def the_cell(provider: str, sample: str, client: str) -> Places | None:
    expected: Expected = BODIES[provider]
    return OF_CLIENT.get((provider, sample, client), expected.get(sample))


CELLS = [
    (provider, sample, client)
    for provider in BODIES
    for sample in ASKED
    for client in CLIENTS
    if sample in SAMPLES[client]
]


def is_native(adapter: Adapter, provider: str, client: str) -> bool:
    return adapter.speaks == client and provider != "mistral"


def is_refused(adapter: Adapter, provider: str, sample: str, client: str) -> bool:
    refused = the_cell(provider, sample, client) is REFUSED
    if is_native(adapter, provider, client):
        # A provider's own clients are told by itself, but for what others of its family take.
        return client == "openai-chat" and refused and CHAT[sample] is not REFUSED
    return refused


@pytest.mark.parametrize(("provider", "sample", "client"), CELLS)
def test_what_a_client_asks_is_in_its_place_or_refused_by_the_clients_own_name(
    provider: str, sample: str, client: str
) -> None:
    adapter, task = an_adapter(provider), asks(client, sample)
    if is_refused(adapter, provider, sample, client):
        with pytest.raises(Unsatisfiable) as caught:
            decided(adapter, task)
        said = dialect_named(client).error(caught.value)
        assert (said[0], caught.value.code) == (400, "unsupported_parameter")
        assert f"`{caught.value.param}`" in json.dumps(json.loads(said[1]))
        assert names_it(str(caught.value.param), a_body(client, sample)), caught.value.param
        return
    decided(adapter, task)
    body = json.loads(speaking(adapter, task).request(task).body or b"")
    if is_native(adapter, provider, client) and (provider, sample, client) not in OF_CLIENT:
        came = a_body(client, sample)
        assert {n: v for n, v in body.items() if n not in MAY_CHANGE} == {
            n: v for n, v in came.items() if n not in MAY_CHANGE
        }
        return
    cell = the_cell(provider, sample, client)
    assert cell is not None, f"{provider} has no cell for {sample}"
    for path, expected in cell.items():
        assert is_there(body, path, expected), (path, expected, body)


OF_THE_QUESTION = ("tools", "input", "contents", "messages")
REFUSED_PARAMETERS = [
    (provider, sample, client)
    for provider, sample, client in CELLS
    if sample in FEATURES and sample not in CONTENT
    if is_refused(an_adapter(provider), provider, sample, client)
]


@pytest.mark.parametrize(("provider", "sample", "client"), REFUSED_PARAMETERS)
def test_a_parameter_that_is_refused_is_really_left_out_where_that_is_allowed(
    provider: str, sample: str, client: str
) -> None:
    adapter, task = an_adapter(provider), asks(client, sample)
    dropped = decided(adapter, replace(task, drop_unsupported=True))
    assert len(dropped) == 1
    asked = json.loads(speaking(adapter, task).request(task).body or b"")
    other = "document_text" if sample == "document_citations" else sample
    question = {n: v for n, v in SAMPLES[client][other].items() if n in OF_THE_QUESTION}
    if (sample, client) == ("one_tool_at_a_time", "anthropic"):
        question["tool_choice"] = {"type": "auto"}  # the other half of what it says there
    body = json.dumps({**PLAIN[client], **question}).encode()
    without = replace(task, body=body)
    assert asked == json.loads(speaking(adapter, without).request(without).body or b"")


def names_it(word: str, body: Body) -> bool:
    """Whether what a word, or a path, ends with is to be found in the client's own body."""
    return f'"{word.rpartition(".")[2]}"' in json.dumps(body)


@pytest.mark.parametrize(
    ("provider", "preset", "model", "sample", "client"),
    [
        ("anthropic", "", "claude-opus-4-7", "temperature", "openai-chat"),
        ("anthropic", "", "claude-sonnet-5-5", "top_k", "gemini"),
        ("anthropic", "", "claude-opus-4-6", "prefill", "openai-responses"),
        ("anthropic", "", "claude-3-5-haiku-20241022", "json_schema", "openai-chat"),
        ("bedrock", "", "anthropic.claude-opus-4-7", "top_p", "openai-chat"),
        ("bedrock", "", "meta.llama3-3-70b-instruct-v1:0", "effort", "anthropic"),
        ("openai_compatible", "openai", "gpt-5-mini", "temperature", "anthropic"),
        ("openai_compatible", "openai", "gpt-5-mini", "stop", "openai-chat"),
        ("openai_compatible", "openai", "gpt-4o", "video_url", "openai-chat"),
        ("openai_compatible", "openai", "gpt-4o", "document_url", "gemini"),
        ("openai_responses", "openai", "gpt-5-mini", "temperature", "gemini"),
        ("openai_compatible", "groq", "openai/gpt-oss-20b", "choices", "openai-chat"),
        ("openai_compatible", "groq", "openai/gpt-oss-20b", "logprobs", "gemini"),
        ("openai_compatible", "deepseek", "deepseek-flash", "json_schema", "openai-responses"),
        ("openai_compatible", "xai", "grok-4.3", "stop", "anthropic"),
        ("gemini", "", "gemini-3.8-flash", "presence_penalty", "openai-chat"),
    ],
)
def test_what_a_model_does_not_take_is_refused_or_left_out(
    provider: str, preset: str, model: str, sample: str, client: str
) -> None:
    adapter, task = an_adapter(provider, preset, model), asks(client, sample)
    with pytest.raises(Unsatisfiable, match="does not take"):
        decided(adapter, task)
    if sample not in CONTENT:
        assert len(decided(adapter, replace(task, drop_unsupported=True))) == 1
        plain = asks(client, "text")
        bodies = [speaking(adapter, one).request(one).body or b"" for one in (task, plain)]
        assert json.loads(bodies[0]) == json.loads(bodies[1])


BOTH = {
    "openai-chat": {"temperature": 0.5, "top_p": 0.9},
    "openai-responses": {"temperature": 0.5, "top_p": 0.9},
    "gemini": {"generationConfig": {"temperature": 0.5, "topP": 0.9}},
}


@pytest.mark.parametrize("client", BOTH)
@pytest.mark.parametrize(
    ("provider", "model", "place"),
    [
        ("anthropic", "claude-sonnet-4-5", ""),
        ("bedrock", "anthropic.claude-opus-4-6", "inferenceConfig"),
    ],
)
def test_claude_is_asked_with_a_temperature_alone_where_the_rest_may_be_left_out(
    client: str, provider: str, model: str, place: str
) -> None:
    adapter = an_adapter(provider, model=model)
    body = json.dumps({**PLAIN[client], **BOTH[client]}).encode()
    task = replace(task_of(dialect_named(client).read_request(body), body), model="m")
    word = "generationConfig.topP" if client == "gemini" else "top_p"
    with pytest.raises(Unsatisfiable, match="beside a temperature") as refused:
        decided(adapter, task)
    assert refused.value.param == word
    assert decided(adapter, replace(task, drop_unsupported=True)) == (word,)
    [asked] = at(json.loads(speaking(adapter, task).request(task).body or b""), place)
    assert asked["temperature"] == 0.5
    assert not {"top_p", "topP"} & asked.keys()
    alone = an_adapter(provider, model=model.replace("4-5", "4").replace("opus-4-6", "opus-4"))
    assert decided(alone, task) == ()


def test_callers_of_anthropics_own_are_told_by_anthropic_itself() -> None:
    adapter, task = (
        an_adapter("anthropic", model="claude-opus-4-7"),
        asks("anthropic", "temperature"),
    )
    assert decided(adapter, task) == ()
    assert json.loads(speaking(adapter, task).request(task).body or b"")["temperature"] == 0.5
    body = json.dumps({**PLAIN["anthropic"], "temperature": 0.5, "top_p": 0.9}).encode()
    both = replace(task_of(dialect_named("anthropic").read_request(body), body), model="m")
    adapter = an_adapter("anthropic", model="claude-sonnet-4-5")
    assert decided(adapter, both) == ()
    assert json.loads(speaking(adapter, both).request(both).body or b"")["top_p"] == 0.9


def test_no_cell_is_missing() -> None:
    assert set(BODIES) == set(BUILTIN) - {"bedrock_invoke"}
    assert set(FEATURES) <= set(ASKED)
    for provider in BODIES:
        for sample in ASKED:
            for client in CLIENTS:
                adapter = an_adapter(provider)
                if sample in SAMPLES[client] and not is_native(adapter, provider, client):
                    key = (provider, sample, client)
                    assert sample in BODIES[provider] or key in OF_CLIENT, key
