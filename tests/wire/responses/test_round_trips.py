"""What Responses can express comes back from it."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

from tierwise.wire.conversation import (
    Conversation,
    Document,
    Image,
    Part,
    Reasoning,
    Source,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from tierwise.wire.responses import RESPONSES

OURS = "openai-responses"


_WORDS = st.text(st.characters(codec="utf-8"), max_size=20)
_TEXTS = _WORDS.map(lambda text: Text(text=text))
_IMAGES = st.builds(
    Image,
    source=st.sampled_from(
        [Source(media_type="image/png", data="AA"), Source(url="https://x"), Source(file_id="f")]
    ),
    detail=st.sampled_from(["low", "auto"]),
)
_DOCUMENTS = st.builds(
    Document,
    source=st.sampled_from([Source(media_type="application/pdf", data="AA"), Source(file_id="f")]),
    name=st.just("a.pdf"),
)
_CALLS = st.builds(
    ToolCall,
    id=st.sampled_from(["call_1", "call_2"]),
    name=st.sampled_from(["f", "g"]),
    arguments=_WORDS.filter(bool),
    origin=st.just(OURS),
    custom=st.booleans(),
)
_THOUGHTS = st.builds(
    Reasoning,
    text=_WORDS.filter(bool),
    redacted=st.none() | st.just("sealed"),
    origin=st.just(OURS),
    id=st.just("rs_1"),
    summary=st.just(True),
)
_HEARD = st.lists(_TEXTS | _IMAGES | _DOCUMENTS, min_size=1, max_size=3)
_TURNS = st.lists(
    st.builds(Turn, role=st.sampled_from(["user", "developer"]), parts=_HEARD.map(tuple))
    | st.tuples(_THOUGHTS, _TEXTS, _CALLS).map(lambda parts: Turn(role="assistant", parts=parts))
    | st.builds(
        lambda parts, custom: Turn(
            role="tool",
            parts=(ToolResult(call_id="call_1", parts=tuple(parts), custom=custom),),
        ),
        _HEARD,
        st.booleans(),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=100, deadline=None)
@given(_TURNS, st.sampled_from(["auto", "required"]), st.booleans())
def test_a_conversation_comes_back_from_the_dialect(
    turns: list[Turn], mode: Any, stream: bool
) -> None:
    # Thoughts and a message of two turns in a row are still two turns, since each has a message.
    asked = Conversation(
        dialect=OURS,
        model="m",
        turns=tuple(turns),
        tools=(Tool(name="f", parameters=Raw(b"{}"), strict=True),),
        tool_choice=ToolChoice(mode=mode),
        stream=stream,
        stream_usage=stream,
    )
    again = RESPONSES.read_request(RESPONSES.write_request(asked))
    assert _plain(again.turns) == _plain(asked.turns)
    assert again.tools == asked.tools
    assert (again.tool_choice, again.stream) == (asked.tool_choice, asked.stream)


def _plain(turns: tuple[Turn, ...]) -> list[Any]:
    """Turns apart from who wrote a text and where thoughts fall when calls stand before them."""
    return [(turn.role, _unowned(part)) for turn in turns for part in turn.parts]


def _unowned(part: Part) -> Part:
    if isinstance(part, Text):
        return replace(part, origin="")
    if isinstance(part, ToolResult):
        return replace(part, parts=tuple(_unowned(one) for one in part.parts))
    return part
