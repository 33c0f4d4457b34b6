"""What the models of Anthropic take of what the Messages API has, by their names.

Since 4.1 they refuse `temperature` beside `top_p`, since 4.7 each of them, `top_k` and a count of
tokens to think with, and until 4.5 they did not know `adaptive` thinking or (but for Opus) an
effort; the beginning of an answer is refused since 4.6 (platform.claude.com, "Migration guide",
"Effort", "Structured outputs").

How much is thought is said in the one way or the other, as the model takes it, so that a request
does as well with any of them. Models of other names are asked as the caller wrote it.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Struct

from tierwise.wire.features import TWO_DRAWS
from tierwise.wire.openai_chat import field_of, with_fields
from tierwise.wire.unreadable import UNREADABLE

_NAME = re.compile(
    r"claude-(?P<family>opus|sonnet|haiku|fable|mythos)-(?P<version>\d+(?:-\d{1,2}\b)?)"
)
_FORMER = re.compile(r"claude-(?:[123]\b|v\d|instant)")
_BUDGETS = {"low": 1024, "medium": 4096, "high": 10_000, "xhigh": 32_000, "max": 32_000}
"""Tokens to think with that stand for an effort."""
_USUAL = 4096
_LEAST = 1024


class Takes(Struct, frozen=True, kw_only=True):
    """What a model takes; what is not known of it, it takes."""

    adaptive: bool = True
    budget: bool = True
    effort: bool = True
    prefill: bool = True
    sampling: bool = True
    schema: bool = True
    two_draws: bool = True

    @property
    def lacks(self) -> frozenset[str]:
        """The features that the dialect has words for and the model does not take."""
        found: set[str] = set()
        if not self.sampling:
            found.update(("temperature", "top_p", "top_k"))
        elif not self.two_draws:
            found.add(TWO_DRAWS)
        if not self.prefill:
            found.add("prefill")
        if not self.schema:
            found.add("json_schema")
        return frozenset(found)


class _Thinking(Struct, omit_defaults=True):
    type: str
    budget_tokens: int | None = None
    display: str | None = None


_decode_thinking = msgspec.json.Decoder(_Thinking).decode
_decode_effort = msgspec.json.Decoder(str).decode
_decode_limit = msgspec.json.Decoder(int).decode
_encode = msgspec.json.Encoder().encode


def takes(model: str) -> Takes:
    """What the model of that name takes."""
    if _FORMER.search(model):
        return Takes(adaptive=False, effort=False, schema=False)
    found = _NAME.search(model)
    if found is None:
        return Takes(prefill=False)
    major, _, minor = found["version"].partition("-")
    version = (int(major), int(minor or 0))
    opus = found["family"] == "opus"
    return Takes(
        adaptive=version >= (4, 6),
        budget=version < (4, 7),
        effort=version >= ((4, 5) if opus else (4, 6)),
        prefill=version < (4, 6),
        sampling=version < (4, 7),
        schema=version >= ((4, 1) if opus else (4, 5)),
        two_draws=version < (4, 1),
    )


def fitted(body: bytes, taken: Takes) -> bytes:
    """The body with what it says about thinking as the model takes it.

    One that says nothing about it, or what the model takes, is given back as it is.
    """
    try:
        if not taken.budget and b'"budget_tokens"' in body:
            return _adaptive(body)
        if not taken.effort and (b'"adaptive"' in body or b'"effort"' in body):
            return _counted(body, keeps_effort=False)
        if not taken.adaptive and b'"adaptive"' in body:
            return _counted(body, keeps_effort=True)
    except UNREADABLE:
        pass  # the provider will say what is wrong with it
    return body


def _adaptive(body: bytes) -> bytes:
    raw = field_of(body, "thinking")
    thinking = _decode_thinking(raw) if raw is not None else None
    if thinking is None or thinking.type != "enabled":
        return body
    changed = _Thinking(type="adaptive", display=thinking.display)
    return with_fields(body, {"thinking": _encode(changed)})


def _counted(body: bytes, *, keeps_effort: bool) -> bytes:
    """The body with a count of tokens to think with for an effort, and for `adaptive`."""
    changes: dict[str, bytes | None] = {}
    output = field_of(body, "output_config")
    said = field_of(output, "effort") if output is not None else None
    if output is not None and said is not None and not keeps_effort:
        rest = with_fields(output, {"effort": None})
        changes["output_config"] = rest if rest != b"{}" else None
    raw = field_of(body, "thinking")
    thinking = _decode_thinking(raw) if raw is not None else None
    if thinking is not None and thinking.type == "adaptive":
        budget = _BUDGETS.get(_decode_effort(said), _USUAL) if said is not None else _USUAL
        limit = field_of(body, "max_tokens")
        if limit is not None:
            # Thoughts count towards the answer's length, which has to be longer.
            budget = min(budget, _decode_limit(limit) * 3 // 4)
        changed = _Thinking(type="enabled", budget_tokens=budget, display=thinking.display)
        changes["thinking"] = _encode(changed) if budget >= _LEAST else None
    return with_fields(body, changes) if changes else body
