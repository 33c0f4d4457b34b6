"""What a provider does not take is not in what it is asked."""

from __future__ import annotations

import pytest
from msgspec import Raw

from tierwise.wire.conversation import (
    Conversation,
    Document,
    Format,
    Sampling,
    Source,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    Turn,
)
from tierwise.wire.features import CONTENT, FEATURES, features_of
from tierwise.wire.left_out import without

PAGE = Document(source=Source(), text="Once", cited=True)
ASKED = Conversation(
    dialect="openai-chat",
    model="m",
    turns=(
        Turn(role="user", parts=(Text(text="Hi"), PAGE)),
        Turn(role="tool", parts=(ToolResult(call_id="1", parts=(PAGE,)),)),
    ),
    tools=(Tool(name="look"), Tool(name="see")),
    parallel_tools=False,
    thinking=Thinking(effort="low", budget=2000),
    sampling=Sampling(
        temperature=0.1, top_p=0.2, top_k=3, seed=4, frequency_penalty=0.5,
        presence_penalty=0.6, logit_bias=Raw(b'{"7":1}'),
    ),
    max_tokens=5,
    stop=("x",),
    choices=2,
    logprobs=True,
    top_logprobs=3,
    safety=Raw(b"[1]"),
    service_tier="flex",
    verbosity="low",
)  # fmt: skip
CHOICES = {
    "tool_choice_none": ToolChoice(mode="none"),
    "tool_choice_required": ToolChoice(mode="required"),
    "tool_choice_named": ToolChoice(mode="required", names=("look",)),
    "tool_choice_several": ToolChoice(mode="auto", names=("look", "see")),
}
FORMS = {"json_mode": Format(kind="json"), "json_schema": Format(kind="schema", schema=Raw(b"{}"))}


def using(feature: str) -> Conversation:
    """The request, with that choice or form if it is one."""
    fields = {
        name: getattr(ASKED, name)
        for name in ASKED.__struct_fields__
        if name not in ("tool_choice", "format")
    }
    if feature in ("tool_choice_none", "tool_choice_named"):
        fields["parallel_tools"] = None  # it asks for nothing beside those, and something without
    return Conversation(**fields, tool_choice=CHOICES.get(feature), format=FORMS.get(feature))


@pytest.mark.parametrize("feature", sorted(set(FEATURES) - CONTENT))
def test_a_parameter_that_is_not_taken_is_left_out_and_nothing_else(feature: str) -> None:
    asked = using(feature)
    assert feature in features_of(asked)
    assert features_of(without(asked, {feature})) == features_of(asked) - {feature}


def test_what_the_question_consists_of_stays_in_any_case() -> None:
    assert without(ASKED, CONTENT) == ASKED


def test_where_nothing_lacks_nothing_changes() -> None:
    assert without(ASKED, frozenset()) is ASKED


@pytest.mark.parametrize("feature", [*CHOICES, *FORMS])
def test_of_choices_and_forms_only_the_one_that_is_not_taken_is_left_out(feature: str) -> None:
    asked = using(feature)
    others = {*CHOICES, *FORMS} - {feature}
    assert without(asked, others) == asked
