"""A policy's certificate: read, and checked against what is configured now.

What was changed by hand and does not fit is an error at the start, as any other in the file. What
comes about by itself, a last day that has passed or a router that was trained anew, must not keep
a gateway from starting at night: the certificate is void then, and the policy falls back.
"""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from tierwise.certificate import Certificate, digest, file_digest
from tierwise.config.schema import OnVoid
from tierwise.errors import ConfigError
from tierwise.types import Policy, Tier

_REMAKE = "Change it back, or make a new certificate with `tierwise calibrate`."


class Certified(Struct, frozen=True, kw_only=True):
    """A certificate that a policy works under, as it stands at one moment.

    `hash` is the SHA-256 of its contents, in hexadecimal. `void` says why it does not hold, None
    while it does.
    """

    certificate: Certificate
    hash: str
    on_void: OnVoid = "reference"
    void: str | None = None


def under_certificate(
    policy: Policy, file: Path, on_void: OnVoid, artifact: Path | None
) -> tuple[Policy, Certified]:
    """The policy with the certificate's tiers and its reference behind them, and the certificate.

    Args:
        artifact: the router's file, None where none is configured.

    Raises:
        ConfigError: the file cannot be read, or was made for other than this policy is now.
    """
    certificate = Certificate.load(file)
    tiers = checked(policy, certificate)
    changed = replace(
        policy,
        reference=certificate.reference,
        tiers=(*tiers, Tier(model=certificate.reference)),
    )
    return changed, Certified(
        certificate=certificate,
        hash=digest(certificate),
        on_void=on_void,
        void=other_router(certificate, artifact),
    )


def checked(policy: Policy, certificate: Certificate) -> tuple[Tier, ...]:
    """The policy's tiers before the reference, if it is the policy that was certified.

    Raises:
        ConfigError: it is not.
    """
    field = f"policies.{policy.name}"
    if certificate.by == "dataset":
        raise _mismatch(
            f"{field}.certificate",
            "its thresholds are for data sets, and requests do not say to which they belong",
        )
    if policy.streams != "held":
        raise _mismatch(
            f"{field}.streams",
            f"a stream that is {policy.streams!r} is seen before its gates have judged it, and a "
            "certificate promises nothing about that",
            remedy="Write `streams: held`, or leave the certificate out.",
        )
    if policy.reference not in (None, certificate.reference):
        raise _mismatch(
            f"{field}.reference",
            f"it is {policy.reference}, the certificate's is {certificate.reference}",
        )
    settled = replace(policy, reference=certificate.reference)
    tiers = before_reference(settled)
    if not policy.tiers:
        tiers = tuple(Tier(model=name, gates=policy.gates) for name in certificate.tiers)
    models = tuple(tier.model for tier in tiers)
    if models != certificate.tiers:
        raise _mismatch(
            f"{field}.tiers",
            f"before the reference come {_listed(models)}, in the certificate "
            f"{_listed(certificate.tiers)}",
        )
    _same_gates(field, gates_of(settled, tiers), certificate)
    if policy_hash(replace(settled, tiers=tiers)) != certificate.policy_hash:
        raise _mismatch(
            f"{field}.certificate",
            "models, regions or ceilings that the policy allows have changed since it was made",
        )
    return tiers


def before_reference(policy: Policy) -> tuple[Tier, ...]:
    """The tiers that are asked before the reference."""
    tiers = policy.tiers
    return tiers[:-1] if tiers and tiers[-1].model == policy.reference else tiers


def gates_of(policy: Policy, tiers: tuple[Tier, ...]) -> tuple[str, ...]:
    """The gates that judge all of these tiers.

    Raises:
        ConfigError: they have different ones, so that their verdicts cannot be joined alike.
    """
    wanted = {tier.gates for tier in tiers}
    if len(wanted) > 1:
        raise ConfigError(
            "the tiers have different gates, and one certificate is for the same gates everywhere",
            field=f"policies.{policy.name}.tiers",
            remedy="Give the policy `gates`, and its tiers none of their own.",
        )
    return wanted.pop() if wanted else policy.gates


def policy_hash(policy: Policy) -> str:
    """SHA-256, in hexadecimal, of what decides who answers under a policy and who judges it.

    Those are the reference, the models before it with their gates, and whom the policy excludes.
    Thresholds are not among it: the certificate brings its own. Nor are names and waiting times.
    """
    tiers = before_reference(policy)
    return digest(
        {
            "reference": policy.reference,
            "tiers": [tier.model for tier in tiers],
            "gates": sorted(gates_of(policy, tiers)),
            "allow": sorted(policy.allow),
            "deny": sorted(policy.deny),
            "regions": sorted(policy.regions),
            "max_cost_usd": policy.max_cost_usd,
            "max_latency_s": policy.max_latency_s,
        }
    )


def other_router(certificate: Certificate, artifact: Path | None) -> str | None:
    """Why the router is not the one that the certificate was made with; None if it is."""
    if certificate.by == "kind" and certificate.learned_kinds != (artifact is not None):
        made, now = ("with", "without") if artifact is None else ("without", "with")
        return f"its kinds of requests were told {made} a router, and are told {now} one here"
    if not certificate.artifact_hash:
        return None  # it was made without, and nothing is asked of a router
    if artifact is None:
        return "it was made with a router, and none is configured"
    try:
        same = file_digest(artifact) == certificate.artifact_hash
    except OSError:
        return f"it was made with a router, and {artifact} cannot be read"
    return None if same else f"the router {artifact} is not the one that it was made with"


def _same_gates(field: str, gates: tuple[str, ...], certificate: Certificate) -> None:
    if set(gates) != set(certificate.gates):
        raise _mismatch(
            f"{field}.gates",
            f"they are {_listed(gates)}, in the certificate {_listed(certificate.gates)}",
        )
    strange = [one.gate for one in certificate.combination.gates if one.gate not in gates]
    if strange:
        raise _mismatch(
            f"{field}.gates",
            f"the certificate weighs what {_listed(strange)} said, and nobody asks that here",
        )


def _mismatch(field: str, what: str, remedy: str = _REMAKE) -> ConfigError:
    return ConfigError(f"the certificate does not fit: {what}", field=field, remedy=remedy)


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(names) or "none"
