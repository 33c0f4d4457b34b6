"""Certificates at work: whether each still holds, by what the first tier's answers look like.

Several processes may serve together. Each watches its part of the traffic, and what one of them
finds void is void for all. What drift has voided stays void, also after a restart, until there is a
new certificate or somebody restores this one: a note beside the ledger says so (`state.void`). With
a ledger in memory it is forgotten with the process.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from tierwise.certificate import Combination
from tierwise.config.certified import Certified
from tierwise.state.drift import Watch
from tierwise.state.void import Void, VoidNote, kept_note, shared_note
from tierwise.types import Attempt, Decision, Record

log = logging.getLogger("tierwise.certificate")

Tell = Callable[[str, str, Void], None]
"""Is told a policy, the hash of its certificate, and why that is void. Called in any thread."""

_JUDGED = ("accepted", "rejected", "abandoned")
_REFUSAL = "refusal"
"""The gate whose verdict tells refusals; below a half it takes the answer for one."""


class Crew(Struct, frozen=True):
    """The processes that serve together: how many, and a folder that all of them can write to."""

    workers: int = 1
    folder: Path | None = None


class Promise:
    """The certificate of one policy, and the watch over it. Safe to share between threads."""

    def __init__(
        self,
        policy: str,
        certified: Certified,
        crew: Crew | None = None,
        now: Callable[[], float] = time.time,
        *,
        kept: VoidNote | None = None,
    ) -> None:
        """As configured; void at once if it is already.

        Args:
            crew: the processes that serve together; None for this one alone.
            now: Unix time in seconds.
            kept: where it is written down that drift has voided it; None: nowhere.
        """
        crew = crew or Crew()
        self.policy = policy
        self.watch = Watch(certified.certificate, watchers=crew.workers, now=now)
        self._certified = self._configured = certified
        self._now = now
        self._lock = threading.Lock()
        self._void: Void | None = None
        self._kept = kept
        self.tell: Tell | None = None
        self._shared = (
            None if crew.folder is None else shared_note(crew.folder, policy, certified.hash)
        )
        self._remember()
        if certified.void is not None:
            self._end(certified.void, drifted=False)

    def goes_on_as(self, other: Promise) -> bool:
        """Whether the other one, made later, is about the same certificate and this one holds."""
        return self._configured == other._configured and self.void is None

    def now(self) -> Certified:
        """The certificate as it stands, for the next request. Does no I/O while it holds."""
        if self._void is None and (reason := self.watch.void) is not None:
            self._end(reason, drifted=self.watch.drifted)
        return self._certified

    @property
    def hash(self) -> str:
        """Of the certificate."""
        return self._certified.hash

    def heard(self, void: Void) -> None:
        """Another replica, which has other files, has found it void by drift."""
        with self._lock:
            if self._void is not None:
                return
            self._set(void)
        if self._leave(self._kept or self._shared, void):
            log.warning(
                "the certificate of policy %s is void, as another replica has found: %s. "
                "%s until %s",
                self.policy, void.reason, self._consequence, self._remedy,
            )  # fmt: skip

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
        if self._void is not None:
            return
        for note in (self._kept, self._shared):
            said = note.read() if note is not None else None
            if said is not None:
                with self._lock:
                    self._set(said)
                return

    def _remember(self) -> None:
        """Takes up at the start what was found out before it. One of the crew says so."""
        said = self._kept.read() if self._kept is not None else None
        if said is None:
            self._hear()
            return
        self._set(said)
        if self._leave(self._shared, said):
            log.warning(
                "the certificate of policy %s is void since %s: %s. %s until %s",
                self.policy, said.day, said.reason, self._consequence, self._remedy,
            )  # fmt: skip

    def _end(self, reason: str, *, drifted: bool) -> None:
        """It is void from now on. Says so once.

        Args:
            drifted: whether traffic has moved, which the next start is to know. A last day it sees
                for itself, and another router may be exchanged for the right one.
        """
        with self._lock:
            if self._void is not None:
                return
            void = Void(reason, self._now())
            self._set(void)
        if drifted and self.tell is not None:
            self.tell(self.policy, self.hash, void)
        kept = self._kept if drifted else None
        if self._leave(kept or self._shared, void):
            until = self._remedy if kept else "there is a new one"
            if drifted and not kept:
                until = f"{until}, or a restart: with a ledger in memory nothing is kept"
            log.warning(
                "the certificate of policy %s is void: %s. %s until %s",
                self.policy, reason, self._consequence, until,
            )  # fmt: skip

    def _leave(self, note: VoidNote | None, void: Void) -> bool:
        """Leaves a note, where there is somebody to read it; False if there is one already."""
        if note is None:
            return True
        try:
            return note.leave(void)
        except OSError as error:
            log.warning("it cannot be written down that a certificate is void: %s", error)
            return True

    @property
    def _consequence(self) -> str:
        return _CONSEQUENCE[self._certified.on_void]

    @property
    def _remedy(self) -> str:
        return f"there is a new one, or `tierwise calibrate --restore --policy {self.policy}`"

    def _set(self, void: Void) -> None:
        self._void = void
        self._certified = replace(self._certified, void=void.reason)


_NONE: Mapping[str, Certified] = {}


class Promises:
    """The certificates of all policies that have one.

    Args:
        ledger: the ledger's path; what is void for good is written down beside it.
    """

    def __init__(
        self,
        certificates: Mapping[str, Certified],
        crew: Crew | None = None,
        now: Callable[[], float] = time.time,
        *,
        ledger: str,
    ) -> None:
        self.all = {
            name: Promise(name, one, crew, now, kept=kept_note(ledger, name, one.hash))
            for name, one in certificates.items()
        }

    def follow(self, other: Promises) -> None:
        """Goes on with the watch of another set-up over certificates that are in both, and hold."""
        for name, promise in self.all.items():
            before = other.all.get(name)
            if before is not None and before.goes_on_as(promise):
                self.all[name] = before

    def share(self, tell: Tell) -> None:
        """From now on other replicas are told what drift has voided."""
        for promise in self.all.values():
            promise.tell = tell

    def watched_by(self, watchers: int) -> None:
        """So many processes watch their part of the traffic."""
        for promise in self.all.values():
            promise.watch.watchers = watchers

    def heard(self, policy: str, certificate: str, void: Void) -> None:
        """Another replica has found a certificate, named by its hash, void. May write a file."""
        promise = self.all.get(policy)
        if promise is not None and promise.hash == certificate:
            promise.heard(void)

    def now(self) -> Mapping[str, Certified]:
        """All of them as they stand, by policy."""
        if not self.all:
            return _NONE
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
