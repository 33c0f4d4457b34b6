"""The error taxonomy, raised where an error is understood and translated in one place.

TierwiseError
├── ConfigError                  the configuration is wrong (file, line, field, remedy)
├── RequestError                 the caller's request cannot be served as it stands
│   ├── InvalidRequest           400 broken JSON, wrong type, missing field
│   ├── Unsatisfiable            400 no configured model can do what is asked
│   ├── GuardrailRefused         400 a guardrail found in it what may not go on
│   ├── AuthenticationFailed     401 no key or a wrong one
│   ├── BudgetExceeded           402 a hard budget has no room for it
│   ├── NotYourDecision          403 another caller's
│   ├── AdminOnly                403 a call for operators
│   ├── NotPermitted             403 the key's role, or what it may be used for, does not reach
│   ├── UnknownModel             404 neither a model nor a policy
│   ├── UnknownDecision          404 the ledger has none of this id
│   ├── UnknownDeployment        404 none of this id is configured
│   ├── UnknownResponse          404 no answer of this id is kept
│   ├── UnknownProvider          404 none of this name is configured
│   ├── UnknownAccount           404 no organisation, team, user, key or budget of this id
│   ├── UnknownPath              404 there is nothing at this address
│   ├── WrongMethod              405
│   ├── BodyTooSlow              408
│   ├── NameTaken                409 there is one of this name already
│   ├── DecisionUnreadable       410 the ledger has it, and its record is damaged
│   ├── KeyReused                422 an idempotency key of another request
│   ├── BodyTooLarge             413
│   ├── UnknownEncoding          415 a body that is compressed in a way that is not read here
│   ├── HeadTooLarge             431
│   ├── Overloaded               429 the gateway has no room for it, or its key is at a limit
│   ├── GatewayBroke             500 a mistake of ours; the log has it
│   ├── GuardrailBroke           503 a guardrail could not look at it, so it may not go on
│   ├── LedgerFull               503 no room for it just now
│   ├── LedgerUnreachable        503 its database does not answer
│   ├── AccountsAway             503 the database of accounts cannot be used just now
│   ├── StateUnavailable         503 Redis, where replicas share their state, is away
│   └── ShuttingDown             503 the gateway's grace was over before the answer was
├── UpstreamError                one call to one deployment failed
│   ├── ConnectFailed            no connection, or it broke before an answer
│   ├── UpstreamTimeout          connect, first token, between tokens or total
│   ├── ServerFailed             5xx, 529, or an answer that is not one
│   ├── RateLimited              429, with the delay that was asked for
│   ├── OutOfService             401, 402, 403, 404 model, out of quota: needs an operator
│   ├── ContextTooLong           this model's window is too small
│   ├── StreamBroken             the stream ended before its end
│   ├── Diverged                 an answer that was begun anew differs from what was sent of it
│   └── UpstreamRejected         any other 4xx: the request itself is at fault
├── AllPathsFailed               503 or 429: every permitted path is spent, with reasons
└── DeadlineExceeded             504 the caller's time is over
"""

from __future__ import annotations

from collections.abc import Sequence


class TierwiseError(Exception):
    """Base of every error that Tierwise raises on purpose; the others are in `tierwise.errors`.

    `decision_id` and `attempts`, the number of calls made, are set on an error that ends a request
    after it was routed: the ledger has a record of it. `upstream_id` is what the provider calls a
    request that it refused.
    """

    decision_id: str | None = None
    attempts: int = 0
    upstream_id: str | None = None


class ConfigError(TierwiseError):
    """The configuration cannot be used.

    Args:
        message: what is wrong, with the value.
        field: dotted path of the field, for example `providers.openai.api_key`.
        remedy: what to write instead.
        file: the file it stands in, if any.
        line: its line there, counted from 1.
    """

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        remedy: str | None = None,
        file: str | None = None,
        line: int | None = None,
    ) -> None:
        self.message = message
        self.field = field
        self.remedy = remedy
        self.file = file
        self.line = line
        super().__init__(str(self))

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.file and self.line else (self.file or "")
        parts = [p for p in (place, self.field, self.message) if p]
        text = ": ".join(parts)
        return f"{text}. {self.remedy}" if self.remedy else text


class RequestError(TierwiseError):
    """The caller's request cannot be served; `status` is the HTTP status that says so.

    `param` names the field at fault, `code` is a stable word for programs.
    """

    status = 400
    code: str | None = "invalid_request"

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        if code is not None:
            self.code = code


class InvalidRequest(RequestError):
    """The body is not a valid request."""


class Unsatisfiable(RequestError):
    """No configured model can do what the request asks for."""

    code = "no_capable_model"


class GuardrailRefused(RequestError):
    """A guardrail found in a request, or in its answer, what may not go on.

    `guardrail` is its name; the message says what was found and never shows it.
    """

    code = "guardrail_refused"

    def __init__(self, message: str, *, guardrail: str, param: str | None = None) -> None:
        super().__init__(message, param=param)
        self.guardrail = guardrail


class AuthenticationFailed(RequestError):
    """The gateway's own key is missing or wrong."""

    status = 401
    code = "invalid_api_key"


class UnknownModel(RequestError):
    """`model` names neither a model nor a policy."""

    status = 404
    code = "model_not_found"


class UnknownDecision(RequestError):
    """The ledger has no decision of this id."""

    status = 404
    code = "decision_not_found"


class NotYourDecision(RequestError):
    """The decision is about another caller's request."""

    status = 403
    code = "not_your_decision"


class AdminOnly(RequestError):
    """The call is for operators, and the caller is none."""

    status = 403
    code = "admin_only"


class NotPermitted(RequestError):
    """The caller is known, and may not do this."""

    status = 403
    code = "not_permitted"


class UnknownDeployment(RequestError):
    """No deployment of this id is configured."""

    status = 404
    code = "deployment_not_found"


class UnknownResponse(RequestError):
    """No answer of this id is kept for this caller."""

    status = 404
    code = None


class UnknownProvider(RequestError):
    """No provider of this name is configured, or there are several and none was named."""

    status = 404
    code = "provider_not_found"


class UnknownAccount(RequestError):
    """No organisation, team, user, key or budget of this id is one that the caller may see."""

    status = 404
    code = "not_found"


class UnknownPath(RequestError):
    """There is nothing at this address."""

    status = 404
    code = "unknown_path"


class WrongMethod(RequestError):
    """The address is right, the HTTP method is not. `allowed` lists those that are."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, message: str, *, allowed: str) -> None:
        super().__init__(message)
        self.allowed = allowed


class BodyTooSlow(RequestError):
    """The rest of the body did not come."""

    status = 408
    code = "request_timeout"


class NameTaken(RequestError):
    """There is one already where there may only be one."""

    status = 409
    code = "already_exists"


class DecisionUnreadable(RequestError):
    """The ledger has a decision of this id, and its record there is damaged."""

    status = 410
    code = "decision_unreadable"


class KeyReused(RequestError):
    """An idempotency key came with another body than before."""

    status = 422
    code = "idempotency_key_reused"


class BodyTooLarge(RequestError):
    """The body is over the configured limit."""

    status = 413
    code = "request_too_large"


class HeadTooLarge(RequestError):
    """The request line and its headers are over the limit."""

    status = 431
    code = "headers_too_large"


class UnknownEncoding(RequestError):
    """The body is compressed in a way that is not read here."""

    status = 415
    code = "unsupported_encoding"


class Overloaded(RequestError):
    """The gateway has no room for the request, or its key has used up what it may ask for.

    `retry_after` is the time, in seconds, after which another try may be worth it.
    """

    status = 429
    code = "overloaded"

    def __init__(self, message: str, *, retry_after: float, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after = retry_after


class BudgetExceeded(RequestError):
    """A hard budget has no room for what the request is expected to cost.

    `retry_after` is the time, in seconds, after which the budget is whole again, if that is soon.
    """

    status = 402
    code = "budget_exceeded"

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class GuardrailBroke(RequestError):
    """The guardrail of this name could not look at a request or its answer, which may not go on."""

    status = 503
    code = "guardrail_unavailable"

    def __init__(self, message: str, *, guardrail: str) -> None:
        super().__init__(message)
        self.guardrail = guardrail


class LedgerFull(RequestError):
    """The ledger has no room for more just now."""

    status = 503
    code = "ledger_full"
    retry_after = 60.0


class LedgerUnreachable(RequestError):
    """The ledger's database does not answer just now."""

    status = 503
    code = "ledger_unreachable"
    retry_after = 1.0


class AccountsAway(RequestError):
    """The database of accounts cannot be used just now."""

    status = 503
    code = "accounts_unavailable"
    retry_after = 1.0


class StateUnavailable(RequestError):
    """What replicas share in Redis, or workers in a folder, cannot be had, and nothing can stand in
    for it."""

    status = 503
    code = "state_unavailable"
    retry_after = 1.0


class ShuttingDown(RequestError):
    """The gateway is being stopped, and its grace was over before the answer was complete."""

    status = 503
    code = "shutting_down"


class GatewayBroke(RequestError):
    """The request is not at fault: something happened that nobody foresaw."""

    status = 500
    code = "internal"

    def __init__(self) -> None:
        super().__init__("Internal error; the gateway's log has the details.")


class UpstreamError(TierwiseError):
    """One call to one deployment failed.

    Args:
        message: the provider's words, with secrets removed.
        status: the HTTP status, if there was an answer.
        retry_after: seconds that the provider asked us to wait.
        body: the provider's error body, for the caller when the request itself is at fault.

    `param` and `code` are the field that it names and its word for programs, for callers who cannot
    read the body.
    """

    kind = "upstream_error"
    param: str | None = None
    code: str | None = None

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        body: bytes | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.retry_after = retry_after
        self.body = body


class ConnectFailed(UpstreamError):
    """No connection, or it broke before an answer came."""

    kind = "connect_failed"


class UpstreamTimeout(UpstreamError):
    """The deployment took longer than its timeouts allow."""

    kind = "timeout"


class ServerFailed(UpstreamError):
    """A 5xx, or an answer that cannot be read as one."""

    kind = "server_failed"


class RateLimited(UpstreamError):
    """429: come back after `retry_after` seconds."""

    kind = "rate_limited"


class OutOfService(UpstreamError):
    """The deployment will not work until somebody acts: bad key, no quota, no such model."""

    kind = "out_of_service"


class ContextTooLong(UpstreamError):
    """The prompt does not fit this model's context window."""

    kind = "context_too_long"


class StreamBroken(UpstreamError):
    """The stream ended before its end."""

    kind = "stream_broken"


class Diverged(UpstreamError):
    """An answer that was to replace a broken one is another one. Nobody's fault."""

    kind = "diverged"


class UpstreamRejected(UpstreamError):
    """Any other 4xx: the request is at fault, so no other path would help."""

    kind = "refused"


class AllPathsFailed(TierwiseError):
    """Every permitted path is spent.

    `failures` holds one line for each path that was tried or left out. `rate_limited` says that
    every one of them failed for a rate limit, so waiting will help.
    """

    def __init__(
        self, failures: Sequence[str], *, retry_after: float = 1.0, rate_limited: bool = False
    ) -> None:
        self.failures = tuple(failures)
        self.retry_after = retry_after
        self.rate_limited = rate_limited
        self.status = 429 if rate_limited else 503
        super().__init__("every permitted path failed: " + "; ".join(self.failures))


class DeadlineExceeded(TierwiseError):
    """The caller's deadline passed before an answer was there.

    `failures` holds one line for each path that had failed by then; `retry_after` is when the first
    may be worth another try, in seconds.
    """

    status = 504

    def __init__(
        self, message: str, failures: Sequence[str] = (), *, retry_after: float = 1.0
    ) -> None:
        self.failures = tuple(failures)
        self.retry_after = retry_after
        super().__init__(": ".join([message, *filter(None, ["; ".join(self.failures)])]))


class Closed(RuntimeError):
    """The orchestrator was closed, before or during this call, or is another process's."""

    def __init__(self, message: str = "this orchestrator is closed; make another one") -> None:
        super().__init__(message)
