"""Health and load of each deployment: who may be asked now, and who first.

What is passive is here: every call that was going to be made anyway says something. Whom to look
at while it is out is said by `due_probe`; somebody else does it.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable, Sequence

from tierwise.errors import (
    ContextTooLong,
    OutOfService,
    RateLimited,
    UpstreamError,
    UpstreamRejected,
    UpstreamTimeout,
)
from tierwise.state.capacity import capacity, is_full
from tierwise.state.choice import by_load
from tierwise.state.deployment import INFINITE, DeploymentState
from tierwise.state.ejection import EJECT_S, LOOK_S, MAX_EJECT_S, outliers
from tierwise.state.hints import Hint
from tierwise.state.limits import Limiter
from tierwise.state.shadow import ShadowPrices
from tierwise.state.status import DeploymentStatus, back_s, limited_s, status_of, why_out
from tierwise.types import Deployment, Limits

__all__ = ["DeploymentState", "Health"]

log = logging.getLogger("tierwise.health")

OUT_OF_SERVICE_S = 60.0
"""How long a deployment with a bad key or no quota is left alone before it is tried again."""
DEFAULT_RATE_LIMIT_S = 5.0
"""Rest after a 429 that names no delay; a last resort need not wait for all of it."""
NO_DELAY_S = 1.0
"""Rest after a 429 that names a delay of 0: whole seconds rounded down, or a mistake."""
ALONE_S = 1.5
"""When clients may come back if all are out: an open breaker is no reason to wait for longer, as
those who have nobody else ask all the same."""
UNKNOWN_S = 60.0
"""When clients may come back if nobody knows when somebody will."""
_OVERLOADED = frozenset({503, 529})
_NOT_LISTED = frozenset({402, 404, 429})
"""Out of quota, or without the model: a list of models comes all the same, and says nothing."""
_LOGGED_CHARS = 300
_NO_LIMITS = Limits()


class Health:
    """The states of all deployments, fed by every attempt, asked before every attempt.

    Args:
        clock: monotonic, in seconds.
        draw: for jitter and for the choice among deployments; seeded where it is to be repeated.
        shadow_prices: whether models that are wanted more than they can take get a price.
    """

    def __init__(
        self,
        deployments: Iterable[Deployment],
        clock: Callable[[], float],
        draw: random.Random | None = None,
        *,
        shadow_prices: bool = True,
    ) -> None:
        self._clock = clock
        self._draw = (draw or random.Random()).random  # noqa: S311 - nothing secret hangs on it
        self._all = {deployment.id: deployment for deployment in deployments}
        self.states = {deployment.id: _state(deployment) for deployment in self._all.values()}
        self._siblings: dict[str, list[Deployment]] = {}
        for deployment in self._all.values():
            self._siblings.setdefault(deployment.model, []).append(deployment)
        self.scarcity = ShadowPrices(clock, self.capacity if shadow_prices else _unknown)
        self.freed: Callable[[str], None] = _nobody
        """Is told the model whenever a call is over, as there may be room for another."""
        self.found_out: Callable[[Deployment, Hint], None] = _to_oneself
        """Is told what other processes may want to know of a deployment."""
        self.demand: dict[str, int] = {}
        """Requests that would have asked a model with limits, since the start."""
        self._bounded = {d.model for d in self._all.values() if d.limits != _NO_LIMITS}
        """Models with limits, configured or found out: only these can be scarce."""
        self._look_at = {
            model: 0.0 for model, siblings in self._siblings.items() if len(siblings) > 1
        }

    def available(self, deployment: Deployment) -> bool:
        """Whether the deployment is well, be it at a limit."""
        return self.states[deployment.id].is_well(self._clock())

    def rate_limited(self, deployment: Deployment) -> bool:
        """Whether the deployment has asked us to wait, or is at a limit that was configured."""
        state, now = self.states[deployment.id], self._clock()
        return state.rate_limited_until > now or limited_s(state, now) > 0

    def why_out(self, deployment: Deployment) -> str:
        """Why it is not asked, in words for operators and clients."""
        return why_out(self.states[deployment.id], self._clock())

    def wanted(self, model: str, tokens: int = 0) -> None:
        """A request would ask this model, be there room or not; tokens of prompt and answer."""
        if model in self._bounded:
            self.demand[model] = self.demand.get(model, 0) + 1
            self.scarcity.wanted(model, tokens)

    def order(self, deployments: Sequence[Deployment], tokens: int = 0) -> list[Deployment]:
        """The deployments that may be asked, the one to ask first in front (`choice`).

        Args:
            tokens: that the call is expected to take, prompt and answer.
        """
        if len(deployments) == 1:
            return list(deployments) if self.admits(deployments[0], tokens) else []
        ready = [deployment for deployment in deployments if self.admits(deployment, tokens)]
        if len(ready) < 2:
            return ready
        return by_load(ready, self.states, self._clock(), self._draw)

    def is_full(self, deployments: Sequence[Deployment], tokens: int = 0) -> bool:
        """Whether all that keeps a call away is that they take no more at the moment."""
        return is_full(deployments, self.states, self._clock(), tokens)

    def capacity(self, model: str, tokens: float) -> float | None:
        """Requests a second that a model can take, of so many tokens; None without a limit."""
        return capacity(self._siblings.get(model, ()), self.states, self._clock(), tokens)

    def admits(self, deployment: Deployment, tokens: int = 0) -> bool:
        """Whether a call may begin there now."""
        state = self.states[deployment.id]
        now = self._clock()
        if state.clear and state.in_flight < state.cap and not state.is_silent(now):
            return True
        if (
            not state.is_well(now)
            or state.in_flight >= state.cap
            or limited_s(state, now, tokens) > 0
            or self._fell_silent(deployment, state, now)
        ):
            return False
        state.clear = state.limiter is None and state.breaker.closed
        return True

    def last_resorts(self, deployments: Sequence[Deployment], tokens: int = 0) -> list[Deployment]:
        """Who may be worth a try when all else has failed, the nearest to its return first.

        That is everybody but those that asked us to wait, are at a configured limit, or were
        drained: calling the first would only prolong the limit.
        """
        now, states = self._clock(), self.states
        left = [
            d
            for d in deployments
            if not states[d.id].drained
            and states[d.id].rate_limited_until <= now
            and limited_s(states[d.id], now, tokens) <= 0
        ]
        return sorted(left, key=lambda d: back_s(states[d.id], now))

    def next_return_s(self, deployments: Iterable[Deployment], tokens: int = 0) -> float:
        """Seconds until the first of the deployments may be worth a call."""
        now = self._clock()
        waits = [self._wait_s(self.states[d.id], now, tokens) for d in deployments]
        soonest = min(waits, default=1.0)
        return soonest if soonest < INFINITE else UNKNOWN_S

    def may_fail_over(self, deployment: Deployment) -> bool:
        """Whether a request that has failed elsewhere may ask here; it is counted if so.

        One that has not failed of late takes them all: there is no outage to be multiplied. So does
        one that is let back, whose trials are counted already. Others take a share of their own
        traffic (`RetryBudget`).
        """
        state, now = self.states[deployment.id], self._clock()
        if state.is_well(now) and not (state.breaker.closed and state.breaker.seen(now)[1]):
            state.retries.count(now)
            return True
        return state.retries.withdraw(now)

    def started(self, deployment: Deployment, tokens: int = 0, *, first: bool = True) -> None:
        """A call begins.

        Args:
            tokens: that it is expected to take, prompt and answer.
            first: whether the request has not failed elsewhere.
        """
        state, now = self.states[deployment.id], self._clock()
        state.in_flight += 1
        state.requests += 1
        if state.unanswered == 0:
            state.silent_since = now
        state.unanswered += 1
        if first:
            state.retries.deposit(now)
        if not state.clear:
            state.breaker.began(now)
            if state.limiter is not None:
                state.limiter.take(now, tokens)

    def reserve(self, deployment: Deployment) -> None:
        """A call is about to begin: until it does (`unreserve`), nobody else gets its place."""
        state = self.states[deployment.id]
        state.in_flight += 1
        if state.limiter is not None:
            state.limiter.running += 1

    def unreserve(self, deployment: Deployment) -> None:
        """Its call begins now (`started`), or never."""
        state = self.states[deployment.id]
        state.in_flight -= 1
        if state.limiter is not None:
            state.limiter.release()

    def settle(self, deployment: Deployment, began: float, expected: int, used: int) -> None:
        """The tokens of a call are known: what `started` took too much is given back.

        Args:
            began: when the call did.
        """
        limiter = self.states[deployment.id].limiter
        if limiter is not None:
            limiter.settle(began, expected, used)

    def goes_on(self, deployment: Deployment) -> None:
        """A call goes on as a stream, in the place that it has until it is over (`left`)."""
        self.states[deployment.id].unanswered = 0

    def left(self, deployment: Deployment) -> None:
        """A call is over, however it went."""
        state = self.states[deployment.id]
        state.in_flight -= 1
        if state.unanswered:
            state.unanswered -= 1
        if state.limiter is not None:
            state.limiter.release()
        self.freed(deployment.model)

    def succeeded(
        self,
        deployment: Deployment,
        latency_s: float,
        ttft_s: float | None,
        tokens: int | None = None,
    ) -> None:
        """A call gave an answer, of so many tokens if anybody counted."""
        state, now = self.states[deployment.id], self._clock()
        state.unanswered = 0
        late = state.pace.saw(now, latency_s, ttft_s, tokens, deployment.timeouts.slow)
        if late > 1.0:
            self._slow(deployment, state, now)
        else:
            state.breaker.succeeded(now)
        if state.cap < INFINITE:
            self._bounded.add(deployment.model)
            state.cap = state.adaptive.answered(state.in_flight + 1, late)
        if not state.clear:
            self._answers_again(deployment, state, now)
        if now >= self._look_at.get(deployment.model, INFINITE):
            self._compare(deployment.model, now)

    def failed(self, deployment: Deployment, error: UpstreamError) -> None:
        """A call failed; what that means for the deployment depends on the error."""
        state, now = self.states[deployment.id], self._clock()
        state.unanswered = 0
        if isinstance(error, (UpstreamRejected, ContextTooLong)):
            return  # the request's fault, not the deployment's
        state.last_error, state.last_error_at = f"{error.kind}: {error.message}", now
        if isinstance(error, (UpstreamTimeout, RateLimited)) or error.status in _OVERLOADED:
            state.overloaded(now)
            self._bounded.add(deployment.model)
        if isinstance(error, RateLimited):
            self._rate_limit(deployment, state, now, error)
        elif isinstance(error, OutOfService):
            wait = max(OUT_OF_SERVICE_S, error.retry_after or 0.0)
            self._rest(deployment, state, now, wait, error.kind, error.message)
            unlisted = error.status in _NOT_LISTED
            if unlisted:
                state.unlisted_until = now + wait
            hint = Hint(
                kind="out_of_service", wait_s=wait, why=_short(error.message), unlisted=unlisted
            )
            self.found_out(deployment, hint)
        else:
            was_closed = state.breaker.closed
            state.breaker.failed(now, self._draw())
            self._tell_opened(deployment, state, now, was_closed, error.kind)
        if now >= self._look_at.get(deployment.model, INFINITE):
            self._compare(deployment.model, now)

    def rest(self, deployment: Deployment, wait_s: float, why: str) -> None:
        """Leaves a deployment alone that has said, with an answer, that a limit is used up."""
        state, now = self.states[deployment.id], self._clock()
        state.rate_limited_until = max(state.rate_limited_until, now + wait_s)
        self._rest(deployment, state, now, wait_s, RateLimited.kind, why)
        hint = Hint(kind="rate_limited", wait_s=wait_s, limited_s=wait_s, why=why)
        self.found_out(deployment, hint)

    def heard(self, deployment: Deployment, hint: Hint) -> None:
        """Another process has found something out.

        That its breaker has opened counts only where nobody here knows better: a process may have
        lost its own way to a provider that answers all others.
        """
        state, now = self.states[deployment.id], self._clock()
        if hint.kind == "open":
            calls, failed = state.breaker.seen(now)
            if state.breaker.closed and (failed or not calls):
                state.breaker.open(now, self._draw(), f"{hint.why} at another replica")
                state.clear = False
                state.probes.out(now, self._draw())
                _tell(deployment, state.breaker.until - now, state.breaker.why)
                state.told = hint.kind
            return
        state.rate_limited_until = max(state.rate_limited_until, now + hint.limited_s)
        if hint.unlisted:
            state.unlisted_until = max(state.unlisted_until, now + hint.wait_s)
        self._rest(deployment, state, now, hint.wait_s, hint.kind, hint.why)

    def drain(self, deployment: Deployment) -> None:
        """No further call begins there; those that run go on. For operators."""
        state = self.states[deployment.id]
        state.drained, state.clear = True, False
        log.warning("%s is drained", deployment.id)

    def restore(self, deployment: Deployment) -> None:
        """Calls may begin there again, whatever it was out for. For operators."""
        state, now = self.states[deployment.id], self._clock()
        state.drained = False
        state.resting_until = state.rate_limited_until = state.ejected_until = 0.0
        state.unlisted_until = 0.0
        state.breaker.try_now(now)
        log.warning("%s is restored", deployment.id)

    def due_probe(self) -> Deployment | None:
        """A deployment that is out and should be looked at now; the next look is later.

        Only those that failed: who asked us to wait is not to be disturbed, and of quota or a model
        that is missing a look does not tell. Say what was seen with
        `answers_probe`; of one that gives no sign nothing need be said.
        """
        now = self._clock()
        for deployment in self._all.values():
            state = self.states[deployment.id]
            out = not state.breaker.closed or state.resting_until > now
            waits = state.drained or max(state.rate_limited_until, state.unlisted_until) > now
            if out and not waits and state.probes.at <= now:
                state.probes.probed(now, self._draw())
                return deployment
        return None

    def answers_probe(self, deployment: Deployment) -> None:
        """A deployment that is out gives signs of life: the next request may try it."""
        state, now = self.states[deployment.id], self._clock()
        state.breaker.try_now(now)
        until = max(now, state.rate_limited_until, state.unlisted_until)
        state.resting_until = min(state.resting_until, until)

    def p95_ttft_s(self, deployment: Deployment) -> float | None:
        """19 of 20 of its latest streams had begun after so many seconds; None while few have."""
        return self.states[deployment.id].pace.p95_ttft_s

    def p95_heard_s(self, deployment: Deployment) -> float | None:
        """The same of whatever is heard first: a stream's first token, or a whole answer."""
        return self.states[deployment.id].pace.p95_heard_s

    def snapshot(self) -> tuple[DeploymentStatus, ...]:
        """Every deployment as it is now."""
        now = self._clock()
        return tuple(status_of(d, self.states[d.id], now) for d in self._all.values())

    def _wait_s(self, state: DeploymentState, now: float, tokens: int) -> float:
        if state.drained:
            return INFINITE
        wait = max(state.resting_until - now, limited_s(state, now, tokens), 0.0)
        if state.breaker.closed and state.ejected_until <= now:
            return wait
        return max(wait, min(ALONE_S, back_s(state, now)))

    def _fell_silent(self, deployment: Deployment, state: DeploymentState, now: float) -> bool:
        """Whether nothing was heard for so long that something must be wrong; opens its breaker."""
        if not state.breaker.closed or not state.is_silent(now):
            return False
        why = f"{state.unanswered} calls and no answer for {now - state.silent_since:.1f} s"
        state.breaker.open(now, self._draw(), why)
        self._tell_opened(deployment, state, now, True, UpstreamTimeout.kind)
        return True

    def _slow(self, deployment: Deployment, state: DeploymentState, now: float) -> None:
        was_closed = state.breaker.closed
        state.breaker.succeeded(now, slow=True, jitter=self._draw())
        self._tell_opened(deployment, state, now, was_closed, "slow")

    def _answers_again(self, deployment: Deployment, state: DeploymentState, now: float) -> None:
        """An answer of one that was not well; what it was asked for may be a while ago."""
        # While a rate limit lasts nobody calls, so an answer then was asked for before it.
        if state.rate_limited_until > now:
            state.resting_until = min(state.resting_until, state.rate_limited_until)
            return
        state.resting_until = state.unlisted_until = 0.0
        if not state.breaker.closed or state.ejected_until > now:
            return
        state.probes.answered()
        if state.told is not None:
            state.told = None
            log.warning("%s answers again", deployment.id)

    def _rate_limit(
        self, deployment: Deployment, state: DeploymentState, now: float, error: RateLimited
    ) -> None:
        asked = error.retry_after
        wait = DEFAULT_RATE_LIMIT_S if asked is None else asked if asked > 0 else NO_DELAY_S
        until = now + (NO_DELAY_S if asked is None else wait)
        state.rate_limited_until = max(state.rate_limited_until, until)
        self._rest(deployment, state, now, wait, error.kind, error.message)
        hint = Hint(
            kind="rate_limited", wait_s=wait, limited_s=until - now, why=_short(error.message)
        )
        self.found_out(deployment, hint)

    def _rest(
        self,
        deployment: Deployment,
        state: DeploymentState,
        now: float,
        wait_s: float,
        kind: str,
        message: str,
    ) -> None:
        """Leaves a deployment alone, and tells the operator unless that is known already."""
        known = state.resting_until > now and state.told == kind
        why = f"{kind}: {message}"
        if now + wait_s >= state.resting_until:
            state.resting_until, state.resting_because = now + wait_s, why
        state.clear, state.told = False, kind
        state.probes.out(now, self._draw())
        if not known:
            _tell(deployment, wait_s, why)

    def _tell_opened(
        self,
        deployment: Deployment,
        state: DeploymentState,
        now: float,
        was_closed: bool,
        kind: str,
    ) -> None:
        """Tells the operator that a breaker has opened, not each time that it opens again."""
        if state.breaker.closed:
            return
        state.clear = False
        state.probes.out(now, self._draw())
        if was_closed:
            last = f"; {state.last_error}" if kind != "slow" and state.last_error else ""
            wait = state.breaker.until - now
            _tell(deployment, wait, state.breaker.why + last)
            state.told = kind
            self.found_out(deployment, Hint(kind="open", wait_s=wait, why=state.breaker.why))

    def _compare(self, model: str, now: float) -> None:
        """Ejects those that are much worse than their siblings."""
        self._look_at[model] = now + LOOK_S
        siblings = self._siblings[model]
        for place in outliers([self.states[d.id].as_sibling(now) for d in siblings]):
            state = self.states[siblings[place].id]
            if now - state.ejected_until > MAX_EJECT_S:
                state.ejections = 0
            state.ejections += 1
            wait = min(MAX_EJECT_S, EJECT_S * state.ejections)
            state.ejected_until, state.clear, state.told = now + wait, False, "outlier"
            _tell(siblings[place], wait, "much worse than its siblings")


def _state(deployment: Deployment) -> DeploymentState:
    """A new one, with the deployment's limits if it has any."""
    if deployment.limits == _NO_LIMITS:
        return DeploymentState()
    return DeploymentState(limiter=Limiter(deployment.limits), clear=False)


def _unknown(_: str, __: float) -> None:
    """No capacity is known, so nothing is scarce."""


def _nobody(_: str) -> None:
    """Nobody waits for room."""


def _to_oneself(_: Deployment, __: Hint) -> None:
    """There is nobody else to tell."""


def _tell(deployment: Deployment, wait_s: float, why: str) -> None:
    log.warning("%s rests for %.3g s: %s", deployment.id, wait_s, _short(why))


def _short(why: str) -> str:
    return " ".join(why.split())[:_LOGGED_CHARS]
