"""The plan of a policy that works under a certificate: its models, its order, its thresholds."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from tierwise.certificate import Threshold, traffic_of
from tierwise.config.certified import Certified
from tierwise.types import Estimate, Policy, Profile, Streams, Task, Tier


class CertifiedPlan(Struct, frozen=True, kw_only=True):
    """A certified policy's tiers, why these, and what is certified about them.

    `certificate` is the hash of the certificate that the thresholds are from, None where there are
    none; `promised` says whether the request is one of those that the promise is about.
    """

    tiers: tuple[Tier, ...]
    reason: str
    certificate: str | None = None
    promised: bool = False


def certified_plan(
    certified: Certified,
    policy: Policy,
    task: Task,
    profile: Profile,
    estimates: Mapping[str, Estimate],
    reference: str,
) -> CertifiedPlan | None:
    """What the certificate says of this request; None if not even the reference may serve it.

    A request that one of the certified models cannot serve, or that is compared with another
    reference, is not of the sort that was calibrated on. The reference answers it, as it does when
    the certificate is void and where it accepts nothing.

    Args:
        policy: its tiers are the certificate's, the reference behind them.
        reference: the one that this request is compared with.
    """
    if reference not in estimates:
        return None
    certificate = certified.certificate
    only = (Tier(model=reference),)
    missing = [name for name in certificate.tiers if name not in estimates]
    if reference != certificate.reference:
        return CertifiedPlan(
            tiers=only, reason=f"the certificate is not for the reference {reference}"
        )
    if missing:
        return CertifiedPlan(
            tiers=only,
            reason=f"{reference} answers what the certificate is not for: {', '.join(missing)} "
            "cannot serve it",
        )
    if certified.void is not None and certified.on_void == "reference":
        return CertifiedPlan(
            tiers=only, reason=f"the certificate is void ({certified.void}): {reference} answers"
        )
    traffic = traffic_of(certificate.by, kind=profile.kind, caller=task.caller)
    threshold = certificate.threshold(traffic)
    accept = threshold.accept
    if accept > 1:
        return CertifiedPlan(
            tiers=only,
            reason=f"the certificate accepts nothing but {reference} for {_named(threshold)}",
            certificate=certified.hash,
            promised=certified.void is None,
        )
    if certified.void is not None:
        accept = stricter(accept)
    return CertifiedPlan(
        tiers=_tiers(certified, policy, estimates, accept),
        reason=_reason(certified, threshold, accept),
        certificate=certified.hash,
        promised=certified.void is None and not _waived(task, policy.streams),
    )


def stricter(accept: float) -> float:
    """The threshold of a void certificate: half-way from the certified one to 1."""
    return (accept + 1.0) / 2.0


def _tiers(
    certified: Certified, policy: Policy, estimates: Mapping[str, Estimate], accept: float
) -> tuple[Tier, ...]:
    """The certified tiers; what the router expects of them counts if it did at calibration."""
    expects = bool(certified.certificate.artifact_hash)
    *gated, last = policy.tiers
    return (
        *(
            replace(
                tier,
                accept=accept,
                expected=estimates[tier.model].quality if expects else None,
            )
            for tier in gated
        ),
        last,
    )


def _waived(task: Task, streams: Streams) -> bool:
    """Whether the caller wants to see the answer before its gates have judged it."""
    return task.stream and (task.streams or streams) != "held"


def _reason(certified: Certified, threshold: Threshold, accept: float) -> str:
    names = " then ".join((*certified.certificate.tiers, certified.certificate.reference))
    if certified.void is not None:
        return (
            f"{names}; the certificate is void ({certified.void}), so answers are accepted from "
            f"{accept:.3f} instead of {threshold.accept:.3f}"
        )
    return f"{names}, accepted from {accept:.3f} as certified for {_named(threshold)}"


def _named(threshold: Threshold) -> str:
    return f"{threshold.traffic} requests" if threshold.traffic else "this traffic"
