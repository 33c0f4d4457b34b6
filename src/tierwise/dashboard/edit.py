"""What was filled in for a policy."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from tierwise.config.schema import PolicyConfig
from tierwise.errors import InvalidRequest

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NUMBERS = ("quality", "max_cost_usd", "max_latency_s")
_WEIGHTS = ("cost", "latency")


class Edit(Struct, frozen=True, kw_only=True):
    """A policy's fields as they stand in the form; empty ones are left out of the policy.

    What the form has no field for stays as it is.
    """

    name: str
    quality: str = ""
    reference: str = ""
    max_cost_usd: str = ""
    max_latency_s: str = ""
    weight_cost: str = ""
    weight_latency: str = ""
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    gates: str = ""

    @classmethod
    def texts(cls) -> tuple[str, ...]:
        """The fields of one text each."""
        return tuple(name for name in cls.__struct_fields__ if name not in ("allow", "deny"))

    @classmethod
    def sent(cls, name: str, texts: Mapping[str, str], form: Mapping[str, Sequence[str]]) -> Edit:
        """A form as it was sent."""
        fields = {key: value.strip()[:400] for key, value in texts.items()}
        fields["name"] = fields.get("name") or name
        return cls(**fields, allow=tuple(form.get("allow", ())), deny=tuple(form.get("deny", ())))

    def over(self, policy: Mapping[str, Any]) -> dict[str, Any]:
        """A policy, as a file has it, with these fields."""
        fields = dict(policy)
        for name in _NUMBERS:
            _set(fields, name, _number(name, getattr(self, name)))
        _set(fields, "reference", self.reference or None)
        for name in ("allow", "deny"):
            _set(fields, name, list(getattr(self, name)) or None)
        gates = [part.strip() for part in self.gates.split(",") if part.strip()]
        usual = PolicyConfig()
        if gates != list(usual.gates) or "gates" in fields:
            fields["gates"] = gates
        weights = dict(fields.get("weights") or {})
        for name in _WEIGHTS:
            value = _number(f"weight_{name}", getattr(self, f"weight_{name}"))
            if value is not None and (name in weights or value != getattr(usual.weights, name)):
                weights[name] = value
        if weights:
            fields["weights"] = weights
        return fields


def edit_of(policy: PolicyConfig, name: str) -> Edit:
    """A policy as the form shows it."""
    return Edit(
        name=name,
        quality=_text(policy.quality),
        reference=policy.reference or "",
        max_cost_usd=_text(policy.max_cost_usd),
        max_latency_s=_text(policy.max_latency_s),
        weight_cost=_text(policy.weights.cost),
        weight_latency=_text(policy.weights.latency),
        allow=tuple(policy.allow),
        deny=tuple(policy.deny),
        gates=", ".join(policy.gates),
    )


def read_edit(form: Mapping[str, Sequence[str]], original: str) -> Edit:
    """A form as a policy. One that is called otherwise in the file keeps its name.

    Raises:
        InvalidRequest: its name is none, or a number is none.
    """
    texts = {name: form.get(name, [""])[0] for name in Edit.texts()}
    edit = Edit.sent("", texts, form)
    if edit.name != original and not _NAME.fullmatch(edit.name):
        raise InvalidRequest(
            f"`name` is {edit.name[:80]!r}. Use letters, digits, `.`, `_` and `-`, 64 at most.",
            param="name",
        )
    for name in (*_NUMBERS, "weight_cost", "weight_latency"):
        _number(name, getattr(edit, name))
    return edit


def _set(fields: dict[str, Any], name: str, value: Any) -> None:
    if value is None:
        fields.pop(name, None)
    else:
        fields[name] = value


def _number(name: str, text: str) -> float | None:
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise InvalidRequest(
            f"`{name}` is {text[:40]!r}, which is no number.", param=name
        ) from None


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
