"""How good an answer was, as somebody said after it: a user now, a judge or a score as well."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from msgspec import Struct

from tierwise.errors import InvalidRequest

LABELS = {
    "good": 1.0,
    "correct": 1.0,
    "up": 1.0,
    "fair": 0.5,
    "bad": 0.0,
    "wrong": 0.0,
    "down": 0.0,
}
"""Words for scores, as buttons and thumbs say them."""
SOURCES = ("user", "score", "judge")
"""Who rates answers. Where several rated one answer, the first of these counts: whoever wanted the
answer knows best, a comparison with a known solution comes next, another model's opinion last."""
MAX_ID_CHARS = 200
MAX_COMMENT_CHARS = 10_000


class Feedback(Struct, frozen=True, kw_only=True):
    """One opinion of one answer.

    `score` is in [0, 1], where 1 is as good as can be. `label` is the word that it was given as,
    if it was one. `at` is a Unix time in seconds, `source` one of `SOURCES`, and `caller` whose
    key it came with, if keys are configured.
    """

    decision_id: str
    at: float
    source: str
    score: float
    label: str | None = None
    comment: str | None = None
    caller: str | None = None


def read_feedback(
    decision_id: object,
    *,
    score: object = None,
    label: object = None,
    comment: object = None,
    caller: str | None = None,
    at: float,
) -> Feedback:
    """Feedback out of what somebody sent, checked.

    Args:
        score: a number from 0 to 1, or
        label: one of `LABELS`; exactly one of the two.

    Raises:
        InvalidRequest: a value cannot be used; names the field, the value and the remedy.
    """
    if not isinstance(decision_id, str) or not 0 < len(decision_id) <= MAX_ID_CHARS:
        raise InvalidRequest(
            f"`decision_id` is {_shown(decision_id)}; it must be the id of an answer, which its "
            "header `x-tierwise-decision-id` gives.",
            param="decision_id",
        )
    _check_unicode("decision_id", decision_id)
    if (score is None) == (label is None):
        raise InvalidRequest(
            f"`score` is {_shown(score)} and `label` is {_shown(label)}; give one of them: a "
            f"number from 0 to 1 as `score`, or one of {_words()} as `label`.",
            param="score",
        )
    if comment is not None:
        _check_comment(comment)
    return Feedback(
        decision_id=decision_id,
        at=at,
        source="user",
        score=_score(score) if label is None else _worth(label),
        label=None if label is None else str(label),
        comment=str(comment) if comment else None,
        caller=caller,
    )


def decisive(opinions: Iterable[Feedback], sources: Sequence[str] = SOURCES) -> Feedback | None:
    """The opinion that counts: of the first of `sources` that has one, the latest.

    Args:
        opinions: of one answer, the oldest first.
    """
    latest = {opinion.source: opinion for opinion in opinions}
    return next((latest[source] for source in sources if source in latest), None)


def _score(score: object) -> float:
    is_number = isinstance(score, (int, float)) and not isinstance(score, bool)
    if not (is_number and 0 <= score <= 1):  # type: ignore[operator]
        raise InvalidRequest(
            f"`score` is {_shown(score)}; it must be a number from 0 (bad) to 1 (good).",
            param="score",
        )
    return float(score)  # type: ignore[arg-type]


def _worth(label: object) -> float:
    worth = LABELS.get(label) if isinstance(label, str) else None
    if worth is None:
        near = difflib.get_close_matches(str(label)[:MAX_ID_CHARS], LABELS, 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise InvalidRequest(
            f"`label` is {_shown(label)}; it must be one of {_words()}, or give a `score` from 0 "
            f"to 1.{hint}",
            param="label",
        )
    return worth


def _check_comment(comment: object) -> None:
    if not isinstance(comment, str):
        raise InvalidRequest(
            f"`comment` is {_shown(comment)}; it must be a string.", param="comment"
        )
    if len(comment) > MAX_COMMENT_CHARS:
        raise InvalidRequest(
            f"`comment` has {len(comment):,} characters; it may have {MAX_COMMENT_CHARS:,}.",
            param="comment",
        )
    _check_unicode("comment", comment)


def _check_unicode(name: str, text: str) -> None:
    """Refuses half a character, which the ledger could not store."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidRequest(
            f"`{name}` is {_shown(text)}, which is not valid Unicode.", param=name
        ) from None


def _words() -> str:
    return ", ".join(f'"{word}"' for word in LABELS)


def _shown(value: object) -> str:
    """A value as a message shows it: not missing, and not for pages."""
    if value is None:
        return "missing"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
