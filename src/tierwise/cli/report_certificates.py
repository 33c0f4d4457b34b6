"""The certificates of a configuration, for a report: read from the files, not from a gateway."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from tierwise.config import Config


class CertificateLine(Struct, frozen=True, kw_only=True):
    """What a policy's certificate promises, and whether it fits what is configured now.

    `matches` says that policy and router are those that it was made for; `why_not` holds what is
    wrong otherwise, that it has expired, or which drift has voided it, `void_since` then, a Unix
    time in seconds. The figures are None where the file cannot be read.
    """

    policy: str
    alpha: float | None = None
    delta: float | None = None
    bound: float | None = None
    expires: str | None = None
    matches: bool = False
    why_not: str | None = None
    void_since: float | None = None


def certificate_lines(file: Path | None) -> list[CertificateLine]:
    """One for each policy of this configuration with a certificate; none without a file.

    A configuration that cannot be used hides its certificates, not the report: whoever wants to
    know why runs `tierwise check`.
    """
    from tierwise.config import load
    from tierwise.errors import ConfigError

    if file is None:
        return []
    try:
        config = load(file, needs_keys=False)
    except ConfigError:
        return []
    named = ((name, policy.certificate) for name, policy in config.policies.items())
    return [_line(name, Path(path), config) for name, path in named if path is not None]


def _line(name: str, path: Path, config: Config) -> CertificateLine:
    import time

    from tierwise.certificate import Certificate, digest
    from tierwise.config.build import policy_of
    from tierwise.config.certified import checked, other_router
    from tierwise.errors import ConfigError
    from tierwise.state.void import kept_note

    try:
        certificate = Certificate.load(path)
    except ConfigError as error:
        return CertificateLine(policy=name, why_not=error.message)
    artifact = config.router.file
    try:
        checked(policy_of(name, config.policies[name]), certificate)
        why_not = other_router(certificate, artifact)
    except ConfigError as error:
        why_not = error.message
    matches = why_not is None
    note = kept_note(config.ledger.path, name, digest(certificate))
    void = note.read() if matches and note is not None else None
    if void is not None:
        why_not = f"since {void.day} {void.reason}"
    elif why_not is None and certificate.expired(time.time()):
        why_not = f"it expired on {certificate.expires}"
    return CertificateLine(
        policy=name,
        alpha=certificate.alpha,
        delta=certificate.delta,
        bound=certificate.bound,
        expires=certificate.expires,
        matches=matches,
        why_not=why_not,
        void_since=void.since if void is not None else None,
    )


def in_words(line: CertificateLine) -> str:
    """One line for people."""
    if line.alpha is None or line.delta is None or line.bound is None:
        return f"certificate of {line.policy}: {line.why_not}"
    said = (
        f"certificate of {line.policy}: with {1 - line.delta:.0%} confidence at most "
        f"{line.alpha:.1%} lost (bound {line.bound:.2%}), until {line.expires}, hashes "
        f"{'match' if line.matches else 'do not match'}"
    )
    return said if line.why_not is None else f"{said}; void: {line.why_not}"
