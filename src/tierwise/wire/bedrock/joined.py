"""What the events of a whole stream say, as gates read it."""

from __future__ import annotations

from tierwise.types import Completion
from tierwise.wire.bedrock.reply import completion_of
from tierwise.wire.bedrock.stream import BedrockEvents
from tierwise.wire.conversation import Text, ToolCall
from tierwise.wire.spoken import Choice, Ended, Finish, TextPiece, ToolBegan, ToolPiece


def completion_of_events(block: bytes) -> Completion:
    """What a stream said, of all of its events."""
    texts: list[str] = []
    calls: list[tuple[ToolBegan, list[str]]] = []
    finish: Finish | None = None
    for event in BedrockEvents().read(block):
        match event:
            case TextPiece():
                texts.append(event.text)
            case ToolBegan():
                calls.append((event, []))
            case ToolPiece():
                calls[event.call][1].append(event.arguments)
            case Ended():
                finish = event.finish
            case _:
                pass
    called = (
        ToolCall(id=began.id, name=began.name, arguments="".join(pieces) or "{}")
        for began, pieces in calls
    )
    return completion_of(Choice(parts=(Text(text="".join(texts)), *called), finish=finish))
