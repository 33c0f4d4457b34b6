"""Certificates at work: whether each still holds, by what the first tier's answers look like.

Several processes may serve together. Each watches its part of the traffic, and what one of them
finds void is void for all: it leaves a note in a folder that they share. A new start, or a new
certificate, begins afresh.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tierwise.certificate import Combination
from tierwise.config.certified import Certified
from tierwise.state.drift import Watch
from tierwise.types import Attempt, Decision, Record

log = logging.getLogger("tierwise.certificate")

_JUDGED = ("accepted", "rejected", "abandoned")
_REFUSAL = "refusal"
"""The gate whose verdict tells refusals; below a half it takes the answer for one."""


class Crew(Struct, frozen=True):
    """The processes that serve together: how many, and a folder that all of them can write to."""

    workers: int = 1
    folder: Path | None = None


class Void(Struct, frozen=True):
    """Why a certificate no longer holds, and since when, a Unix time in seconds."""

    reason: str
    since: float


class Promise:
    """The certificate of one policy, and the watch over it. Safe to share between threads."""

    def __init__(
        self,
        policy: str,
        certified: Certified,
        crew: Crew | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        crew = crew or Crew()
        self.policy = policy
        self.watch = Watch(certified.certificate, watchers=crew.workers, now=now)
        self._certified = certified
        self._now = now
        self._lock = threading.Lock()
        self._void: Void | None = None
        self._note = crew.folder and crew.folder / _note_name(policy, certified)
        self._hear()
        if certified.void is not None:
            self._end(certified.void)

    def now(self) -> Certified:
        """The certificate as it stands, for the next request. Does no I/O while it holds."""
        if self._void is None and (reason := self.watch.void) is not None:
            self._end(reason)
        return self._certified

    @property
    def void(self) -> Void | None:
        """Why it no longer holds, be it that another process found out; None while it does."""
        self.now()
        self._hear()
        return self._void

    def saw(self, record: Record) -> None:
        """Takes in one finished request; only those that something was promised about count."""
        decision = record.decision
        if not decision.promised or decision.certificate != self._certified.hash:
            return
        answer = next((a for a in record.attempts if _judged_first(a)), None)
        if answer is None or answer.p is None:
            return
        verdicts = {verdict.gate: verdict.p for verdict in answer.verdicts}
        refusal = verdicts.get(_REFUSAL)
        self.watch.saw(
            posterior=answer.p,
            verdicts=verdicts,
            length=answer.length,
            refused=None if refusal is None else refusal < 0.5,
            novelty=_novelty(decision),
        )
        self.now()
        self._hear()

    def _hear(self) -> None:
        """Whether another process has found it void."""
        if self._void is not None or self._note is None:
            return
        try:
            said = msgspec.json.decode(self._note.read_bytes(), type=Void)
        except (OSError, msgspec.MsgspecError):
            return  # there is none, or it is being written
        with self._lock:
            self._set(said)

    def _end(self, reason: str) -> None:
        """It is void from now on. Says so once."""
        with self._lock:
            if self._void is not None:
                return
            self._set(Void(reason, self._now()))
        if self._tell_others():
            log.warning(
                "the certificate of policy %s is void: %s. %s until there is a new one",
                self.policy, reason, _CONSEQUENCE[self._certified.on_void],
            )  # fmt: skip

    def _tell_others(self) -> bool:
        """Leaves the note; False if another process has been quicker."""
        if self._note is not None:
            try:
                with self._note.open("xb") as note:
                    note.write(msgspec.json.encode(self._void))
            except FileExistsError:
                return False
            except OSError as error:
                log.warning("the other workers cannot be told: %s", error)
        return True

    def _set(self, void: Void) -> None:
        self._void = void
        self._certified = replace(self._certified, void=void.reason)


class Promises:
    """The certificates of all policies that have one."""

    def __init__(
        self,
        certificates: Mapping[str, Certified],
        crew: Crew | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.all = {
            name: Promise(name, certified, crew, now) for name, certified in certificates.items()
        }

    def now(self) -> Mapping[str, Certified]:
        """All of them as they stand, by policy."""
        return {name: promise.now() for name, promise in self.all.items()}

    def combination(self, decision: Decision) -> Combination | None:
        """How the verdicts on this decision's answers are joined; None: by the default rule."""
        if decision.certificate is None or decision.policy is None:
            return None
        return self.all[decision.policy].now().certificate.combination

    def saw(self, record: Record) -> None:
        """Shows a finished request to the watch of its policy."""
        promise = self.all.get(record.decision.policy or "")
        if promise is not None:
            promise.saw(record)


_CONSEQUENCE = {
    "reference": "The reference answers",
    "stricter": "Less is accepted",
}


def _judged_first(attempt: Attempt) -> bool:
    """Whether it is a first tier's answer that gates have judged."""
    return attempt.tier == 1 and attempt.p is not None and attempt.outcome in _JUDGED


def _novelty(decision: Decision) -> float | None:
    """Of the request, as the first tier's estimate has it."""
    first = decision.plan.tiers[0].model
    estimates = (one.estimate for one in decision.candidates if one.model == first)
    return next((one.novelty for one in estimates if one is not None), None)


def _note_name(policy: str, certified: Certified) -> str:
    """A name of its own for each policy and certificate, whatever characters the policy's has."""
    named = hashlib.sha256(policy.encode()).hexdigest()[:16]
    return f"void-{named}-{certified.hash[:16]}.json"
