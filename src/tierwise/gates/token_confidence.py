"""How sure was the model of its words? By the log-probabilities that the provider gives."""

from __future__ import annotations

import math
import re

from msgspec import Struct

from tierwise.types import Completion, Task, TokenLogprob, Verdict

_IMPOSSIBLE = -9999.0
"""What OpenAI says of a token that it would never have chosen; nothing is less likely."""
_TELLING = re.compile(r"[^\W_]")
CLOSED_TOKENS = 5
"""An answer of no more tokens than this is closed: a letter, a number, a name."""


class Confidence(Struct, frozen=True):
    """How sure a model was of its words: natural logarithms of probabilities, at most 0.

    `mean` and `minimum` are over the tokens, `total` is their sum. `margin` is the smallest lead
    of a token over its runner-up, below 0 where a likelier one was passed over, None where the
    provider names no runners-up.
    """

    tokens: int
    mean: float
    minimum: float
    total: float
    margin: float | None


class TokenConfidenceGate:
    """Reads off the log-probabilities how sure the model was.

    P(acceptable) is the probability that the model itself gave: of the whole answer if it is
    closed, else of a token of it in the geometric mean, which is one over the perplexity. It
    rises with P(correct), but most models are surer than they should be: calibrate it.
    """

    name = "token_confidence"
    wants_logprobs = True

    def judge(self, task: Task, answer: Completion) -> Verdict | None:  # noqa: ARG002
        """None where there are no log-probabilities, and for tool calls and refusals."""
        if answer.tool_calls or answer.refusal is not None:
            return None
        found = confidence(answer.logprobs)
        if found is None:
            return None
        closed = found.tokens <= CLOSED_TOKENS
        p = math.exp(found.total if closed else found.mean)
        lead = "" if found.margin is None else f", smallest margin {found.margin:.2f}"
        reason = (
            f"{found.tokens} tokens of log-probability {found.mean:.3f} on average, "
            f"{found.minimum:.2f} at least{lead}"
        )
        return Verdict(gate=self.name, p=min(max(p, 0.0), 1.0), reason=reason)


def confidence(logprobs: tuple[TokenLogprob, ...]) -> Confidence | None:
    """What an answer's tokens say; None where there are none.

    Tokens without a letter or digit are left out, unless there are no others: how a model sets
    its commas, markup and end says little of what it knows.
    """
    finite = [one for one in logprobs if math.isfinite(one.logprob)]
    told = [one for one in finite if one.token.isalnum() or _TELLING.search(one.token)] or finite
    if not told:
        return None
    values = [one.logprob for one in told]
    if max(values) > 0.0 or min(values) < _IMPOSSIBLE:
        values = [min(max(value, _IMPOSSIBLE), 0.0) for value in values]
    leads = [one.logprob - one.runner_up for one in told if one.runner_up is not None]
    total = sum(values)
    return Confidence(
        tokens=len(values),
        mean=total / len(values),
        minimum=min(values),
        total=total,
        margin=min(leads, default=None),
    )
