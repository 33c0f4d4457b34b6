"""The shape of `guardrails` in `tierwise.yaml`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from tierwise.config.section import Section as _Section

_FIELDS = {
    "patterns": {"patterns", "ignore_case"},
    "pii": {"find", "engine", "language", "model", "threshold"},
    "injection": {"threshold", "scorer"},
    "ceilings": {"max_bytes", "max_chars", "max_tokens", "max_messages", "max_output_tokens"},
}
"""What is particular to a kind; code of one's own has a `threshold`."""
_EVERYWHERE = {"kind", "action", "sides", "always", "unseen"}


class GuardrailConfig(_Section):
    """What is looked for in requests and answers, and what is done when it is found."""

    kind: str = Field(
        min_length=1,
        description="patterns, pii, injection or ceilings; your own as `module:function`.",
    )
    action: Literal["note", "mask", "refuse"] | None = Field(
        None, description="`mask` for pii unless written, `refuse` for all others."
    )
    sides: list[Literal["input", "output"]] | None = Field(
        None,
        min_length=1,
        description="Both for patterns and pii unless written, `input` for all others.",
    )
    always: bool = Field(
        False, description="Looks at every request, and not only at those of policies that name it."
    )
    unseen: Literal["pass", "refuse"] = Field(
        "pass",
        description="What becomes of uploads and other bodies that are passed through to a "
        "provider and cannot be looked into; `refuse` needs `always: true`.",
    )
    patterns: dict[str, str] = Field(
        default_factory=dict, description="Regular expressions by what each finds, in a word."
    )
    ignore_case: bool = Field(False, description="Of `patterns`.")
    find: list[str] = Field(
        default_factory=list,
        description="email, phone, card, iban, ip, ssn; all unless written. Presidio's own names, "
        "such as PERSON, where it is the engine.",
    )
    engine: Literal["builtin", "presidio"] = Field(
        "builtin", description="Who finds pii; Presidio needs the extra `pii`."
    )
    language: str = Field("en", pattern=r"^[a-z]{2}$", description="That Presidio reads.")
    model: str | None = Field(
        None,
        min_length=1,
        description="Of spaCy, for Presidio: a package or a folder; en_core_web_lg unless written.",
    )
    threshold: float = Field(0.5, gt=0, le=1, description="Score from which on something is found.")
    scorer: str | None = Field(
        None,
        pattern=r"^[\w.]+:[\w.]+$",
        description="A function of a text that gives the probability of an injection.",
    )
    max_bytes: int | None = Field(None, gt=0, description="Of the body.")
    max_chars: int | None = Field(None, gt=0, description="Of all its words.")
    max_tokens: int | None = Field(None, gt=0, description="Of the prompt, or of the answer.")
    max_messages: int | None = Field(None, gt=0, description="Of a conversation.")
    max_output_tokens: int | None = Field(
        None, gt=0, description="That a request may allow its answer."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        written = self.model_fields_set
        others = sorted(written - _EVERYWHERE - _FIELDS.get(self.kind, {"threshold"}))
        if others:
            raise ValueError(f"`{others[0]}` is not a field of the kind {self.kind!r}")
        if self.unseen == "refuse" and not (self.always and "input" in (self.sides or ["input"])):
            raise ValueError(
                "`unseen: refuse` is about requests that are passed through, at which only "
                "guardrails look that are `always: true` and have the side `input`"
            )
        if self.kind == "patterns" and not self.patterns:
            raise ValueError("`patterns` has none; write `patterns: {a_word: 'an expression'}`")
        if self.kind == "ceilings":
            if not written & _FIELDS["ceilings"]:
                raise ValueError("no ceiling is given; write one, such as `max_tokens`")
            if self.action == "mask":
                raise ValueError("what is too large cannot be masked; write `refuse` or `note`")
        return self
