"""Guardrails as the configuration describes them."""

from __future__ import annotations

from collections.abc import Mapping

from tierwise.config.guarding import GuardrailConfig
from tierwise.errors import ConfigError
from tierwise.guardrails.base import Guardrail, Side
from tierwise.guardrails.ceilings import Ceilings
from tierwise.guardrails.guard import Action, Rule

_SIDES: Mapping[str, Side] = {"input": "request", "output": "answer"}
_ACTIONS: Mapping[str, Action] = {"pii": "mask"}
_BOTH = frozenset({"patterns", "pii"})
"""Kinds that look at answers, too, unless it is said otherwise."""


def rule_of(name: str, config: GuardrailConfig) -> Rule:
    """One guardrail, ready to look.

    Raises:
        ConfigError: it cannot be built; names its field.
    """
    try:
        guardrail = _guardrail(name, config)
    except ConfigError as error:
        below = f"guardrails.{name}" + (f".{error.field}" if error.field else "")
        raise ConfigError(error.message, field=below, remedy=error.remedy) from error
    on = config.sides or (["input", "output"] if config.kind in _BOTH else ["input"])
    return Rule(
        name=name,
        action=config.action or _ACTIONS.get(config.kind, "refuse"),
        sides=frozenset(_SIDES[side] for side in on),
        guardrail=guardrail,
        refuses_unseen=config.unseen == "refuse",
    )


def _guardrail(name: str, config: GuardrailConfig) -> Guardrail | Ceilings:
    # Each is imported only where it is configured.
    if config.kind == "ceilings":
        return Ceilings(
            bytes=config.max_bytes,
            chars=config.max_chars,
            tokens=config.max_tokens,
            messages=config.max_messages,
            output_tokens=config.max_output_tokens,
        )
    if config.kind == "patterns":
        from tierwise.guardrails.patterns import Patterns

        return Patterns(config.patterns, ignore_case=config.ignore_case)
    if config.kind == "pii":
        return _personal(name, config)
    if config.kind == "injection" and config.scorer is None:
        from tierwise.guardrails.injection import Injection

        return Injection(config.threshold)
    return _outside(name, config)


def _outside(name: str, config: GuardrailConfig) -> Guardrail:
    """Code of somebody's own: a guardrail, or what scores texts in place of the phrases."""
    from tierwise.guardrails.outside import Outside, load

    field = "kind" if config.scorer is None else "scorer"
    try:
        look = load(config.scorer or config.kind)
    except ConfigError as error:
        raise ConfigError(error.message, field=field, remedy=error.remedy) from error
    if config.scorer is None:
        return Outside(look, label=name, threshold=config.threshold)
    from tierwise.guardrails.injection import LABEL

    return Outside(look, label=LABEL, threshold=config.threshold, roles=("user", "tool"))


def _personal(name: str, config: GuardrailConfig) -> Guardrail:
    if config.engine == "presidio":
        from tierwise.guardrails.outside import Outside
        from tierwise.guardrails.presidio import LIMIT_S, Presidio

        engine = Presidio(config.language, config.model, config.find, config.threshold)
        return Outside(engine.look, label=name, limit_s=LIMIT_S)
    from tierwise.guardrails.pii import FINDERS, PersonalData

    unknown = [kind for kind in config.find if kind not in FINDERS]
    if unknown:
        raise ConfigError(
            f"{', '.join(map(repr, unknown))} is unknown",
            field="find",
            remedy=f"Use any of: {', '.join(FINDERS)}; names of people take `engine: presidio`.",
        )
    return PersonalData(config.find or tuple(FINDERS))
