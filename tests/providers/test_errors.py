"""What providers' errors mean, by the bodies that they really send."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tierwise.errors import (
    ContextTooLong,
    OutOfService,
    RateLimited,
    ServerFailed,
    UpstreamError,
    UpstreamRejected,
)
from tierwise.providers.errors import classify


def openai(message: str, kind: str | None = None, code: Any = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def vllm(message: str, kind: str, code: Any) -> dict[str, Any]:
    return {"object": "error", "message": message, "type": kind, "param": None, "code": code}


GROQ_LIMIT = (
    "Rate limit reached for model `llama-3.3-70b-versatile` in organization `org_01` service tier "
    "`on_demand` on tokens per day (TPD): Limit 100000, Used 97050, Requested 3619. Please try "
    "again in 9m38.016s. Need more tokens? Upgrade to Dev Tier today at "
    "https://console.groq.com/settings/billing"
)
TOO_LARGE = (
    "Request too large for model `llama-3.1-8b-instant` in organization `org_01` service tier "
    "`on_demand` on tokens per minute (TPM): Limit 6000, Requested 6294, please reduce your "
    "message size and try again."
)
WINDOW = "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens."

CASES: dict[str, tuple[int, Any, type[UpstreamError]]] = {
    "OpenAI key": (
        401,
        openai("Incorrect API key provided: sk-x.", None, "invalid_api_key"),
        OutOfService,
    ),
    "OpenAI quota": (
        429,
        openai("You exceeded your current quota.", "insufficient_quota", "insufficient_quota"),
        OutOfService,
    ),
    "OpenAI rate": (
        429,
        openai("Rate limit reached for gpt-4o: Limit 30000.", "tokens", "rate_limit_exceeded"),
        RateLimited,
    ),
    "OpenAI rate with a link to billing": (
        429,
        openai(
            "Rate limit reached. You can increase your rate limit by adding a payment method to "
            "your account at https://platform.openai.com/account/billing.",
            "requests",
            "rate_limit_exceeded",
        ),
        RateLimited,
    ),
    "OpenAI over a minute's allowance": (
        429,
        openai(
            TOO_LARGE.replace("model `llama-3.1-8b-instant`", "gpt-4o"),
            "tokens",
            "rate_limit_exceeded",
        ),
        ContextTooLong,
    ),
    "OpenAI window": (
        400,
        openai(WINDOW, "invalid_request_error", "context_length_exceeded"),
        ContextTooLong,
    ),
    "OpenAI window, newer words": (
        400,
        openai("Your input exceeds the context window of this model.", "invalid_request_error"),
        ContextTooLong,
    ),
    "OpenAI model": (
        404,
        openai("The model `gpt-9` does not exist.", "invalid_request_error", "model_not_found"),
        OutOfService,
    ),
    "OpenAI parameter": (
        400,
        openai(
            "Unsupported parameter: 'max_tokens'.", "invalid_request_error", "unsupported_parameter"
        ),
        UpstreamRejected,
    ),
    "OpenAI region": (
        403,
        openai("Country not supported", None, "unsupported_country"),
        OutOfService,
    ),
    "OpenAI overload": (503, openai("The engine is overloaded", "server_error"), ServerFailed),
    "Azure content filter": (
        400,
        openai("The response was filtered.", None, "content_filter"),
        UpstreamRejected,
    ),
    "Groq rate with a link to billing": (
        429,
        openai(GROQ_LIMIT, "tokens", "rate_limit_exceeded"),
        RateLimited,
    ),
    "Groq over a minute's allowance": (
        413,
        openai(TOO_LARGE, "tokens", "rate_limit_exceeded"),
        ContextTooLong,
    ),
    "Groq retired model": (
        400,
        openai(
            "The model `x` has been decommissioned.",
            "invalid_request_error",
            "model_decommissioned",
        ),
        OutOfService,
    ),
    "Groq window": (
        400,
        openai(
            "Please reduce the length of the messages or completion.",
            "invalid_request_error",
            "context_length_exceeded",
        ),
        ContextTooLong,
    ),
    "Groq tool use": (
        400,
        openai("Failed to call a function.", "invalid_request_error", "tool_use_failed"),
        ServerFailed,
    ),
    "Mistral key": (401, {"message": "Unauthorized", "request_id": "1"}, OutOfService),
    "Mistral rate": (429, {"message": "Requests rate limit exceeded"}, RateLimited),
    "Mistral rate, newer words": (
        429,
        vllm("Rate limit exceeded", "rate_limited", "1300"),
        RateLimited,
    ),
    "Mistral model": (400, vllm("Invalid model: x", "invalid_model", "1500"), OutOfService),
    "Mistral window": (
        400,
        vllm(
            "Prompt contains 40000 tokens, too large for model with 32768 maximum context length",
            "invalid_request_prompt",
            "3051",
        ),
        ContextTooLong,
    ),
    "Mistral field": (
        422,
        {
            "object": "error",
            "message": {"detail": [{"type": "extra_forbidden", "loc": ["body", "x"]}]},
            "type": "invalid_request_error",
        },
        UpstreamRejected,
    ),
    "DeepSeek balance": (
        402,
        openai("Insufficient Balance", "unknown_error", "invalid_request_error"),
        OutOfService,
    ),
    "DeepSeek model": (
        400,
        openai("Model Not Exist", "invalid_request_error", "invalid_request_error"),
        OutOfService,
    ),
    "DeepSeek window": (
        400,
        openai(WINDOW, "invalid_request_error", "invalid_request_error"),
        ContextTooLong,
    ),
    "OpenRouter credits": (
        402,
        {"error": {"message": "Insufficient credits.", "code": 402}},
        OutOfService,
    ),
    "OpenRouter free tier": (
        429,
        {"error": {"message": "Rate limit exceeded: free-models-per-day", "code": 429}},
        RateLimited,
    ),
    "OpenRouter moderation": (
        403,
        {
            "error": {
                "message": "Your input was flagged",
                "code": 403,
                "metadata": {"reasons": ["x"]},
            }
        },
        UpstreamRejected,
    ),
    "OpenRouter model": (
        404,
        {"error": {"message": "No endpoints found for x/y.", "code": 404}},
        OutOfService,
    ),
    "OpenRouter model name": (
        400,
        {"error": {"message": "x/y is not a valid model ID", "code": 400}},
        OutOfService,
    ),
    "OpenRouter nobody with tools": (
        404,
        {"error": {"message": "No endpoints found that support tool use.", "code": 404}},
        ServerFailed,
    ),
    "OpenRouter provider": (
        502,
        {"error": {"message": "Provider returned error", "code": 502}},
        ServerFailed,
    ),
    "xAI key": (
        400,
        {
            "code": "Client specified an invalid argument",
            "error": "Incorrect API key provided: sk***YA. You can obtain one from the console.",
        },
        OutOfService,
    ),
    "xAI argument": (
        400,
        {
            "code": "Client specified an invalid argument",
            "error": "The model expects a single `text` element per message.",
        },
        UpstreamRejected,
    ),
    "xAI credits": (
        429,
        {
            "code": "Some resource has been exhausted",
            "error": "Your team has used all available credits or reached its spending limit.",
        },
        OutOfService,
    ),
    "xAI rate": (
        429,
        {
            "code": "Some resource has been exhausted",
            "error": "Too many tokens for team and model grok-4. Tokens per Minute: 65605/16000.",
        },
        RateLimited,
    ),
    "xAI window": (
        400,
        {
            "code": "invalid",
            "error": "This model's maximum prompt length is 131072 but got 500000.",
        },
        ContextTooLong,
    ),
    "xAI safety": (
        403,
        {
            "code": "The caller does not have permission",
            "error": "Content violates usage guidelines.",
        },
        UpstreamRejected,
    ),
    "vLLM window": (400, vllm(WINDOW, "BadRequestError", 400), ContextTooLong),
    "vLLM window, other words": (
        400,
        vllm("max_tokens must be at least 1, got -186.", "BadRequestError", 400),
        ContextTooLong,
    ),
    "vLLM model": (404, vllm("The model `x` does not exist.", "NotFoundError", 404), OutOfService),
    "vLLM wrong path": (404, {"detail": "Not Found"}, OutOfService),
    "Ollama model": (
        404,
        openai('model "x" not found, try pulling it first', "api_error"),
        OutOfService,
    ),
    "Ollama tools": (400, openai("x does not support tools", "api_error"), UpstreamRejected),
    "llama.cpp window": (
        400,
        {
            "error": {
                "code": 400,
                "message": "the request exceeds the available context size, try increasing it",
                "type": "exceed_context_size_error",
                "n_prompt_tokens": 14429,
                "n_ctx": 8192,
            }
        },
        ContextTooLong,
    ),
    "llama.cpp window with a 500": (
        500,
        {"error": {"code": 500, "message": "too long", "type": "exceed_context_size_error"}},
        ContextTooLong,
    ),
    "llama.cpp loading": (
        503,
        {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}},
        ServerFailed,
    ),
    "Gemini key": (
        400,
        [{"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT"}}],
        OutOfService,
    ),
    "request timeout": (408, {}, ServerFailed),
    "conflict": (409, {}, ServerFailed),
    "too early": (425, {}, ServerFailed),
    "overloaded": (529, {}, ServerFailed),
    "redirect": (302, {}, ServerFailed),
}


@pytest.mark.parametrize(("status", "body", "kind"), CASES.values(), ids=CASES)
def test_an_error_is_what_the_provider_means_by_it(
    status: int, body: Any, kind: type[UpstreamError]
) -> None:
    assert type(classify(status, {}, json.dumps(body).encode())) is kind


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (openai("slow down", None, "rate_limit_exceeded"), RateLimited),
        (openai("slow down", "x", 429), RateLimited),
        (openai("pay", None, "insufficient_quota"), OutOfService),
        (openai("pay", "x", 402), OutOfService),
        (openai("Provider returned error", None, 502), ServerFailed),
        (openai("bad request", None, 400), UpstreamRejected),
        ({"error": {"message": "bad request", "status_code": 400}}, UpstreamRejected),
        ({"error": {"code": "tool_use_failed", "status_code": 400}}, ServerFailed),
        (openai(WINDOW, None, "context_length_exceeded"), ContextTooLong),
        (openai(WINDOW, None, 400), ContextTooLong),
        (openai("boom", "server_error"), ServerFailed),
        (openai("boom", None, "9" * 5000), ServerFailed),
        ({"error": "boom"}, ServerFailed),
    ],
)
def test_an_error_behind_a_200_is_told_by_its_code(body: Any, kind: type[UpstreamError]) -> None:
    assert type(classify(200, {}, json.dumps(body).encode())) is kind


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (json.dumps(openai("too\n  hot")).encode(), "too hot"),
        (json.dumps(vllm("too hot", "x", 1)).encode(), "too hot"),
        (b'{"error":"too hot"}', "too hot"),
        (b'{"code":"x","error":"too hot"}', "too hot"),
        (b'{"detail":"too hot"}', "too hot"),
        (b'[{"error":{"message":"too hot"}}]', "too hot"),
        (b"<html>too hot</html>", "<html>too hot</html>"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"[" * 100_000, "[" * 500),
        (b"", "HTTP 500"),
    ],
)
def test_the_provider_s_words_are_kept(body: bytes, message: str) -> None:
    assert classify(500, {}, body).message == message


def test_only_what_the_caller_may_see_carries_the_provider_s_body() -> None:
    body = json.dumps(openai("no")).encode()
    assert classify(422, {}, body).body is not None
    assert classify(401, {}, body).body is None
    assert classify(500, {}, body).body is None


def test_the_delay_travels_with_a_rate_limit() -> None:
    error = classify(429, {"retry-after": "2"}, b"{}")
    assert (type(error), error.retry_after) == (RateLimited, 2.0)


def google(*details: dict[str, Any]) -> dict[str, Any]:
    message = "You exceeded your current quota. Please retry in 34.07s."
    error = {"code": 429, "message": message, "status": "RESOURCE_EXHAUSTED"}
    return {"error": {**error, "details": list(details)}}


SOON = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.074824224s"}
QUOTA = "type.googleapis.com/google.rpc.QuotaFailure"
A_MINUTE = {"@type": QUOTA, "violations": [{"quotaId": "GenerateRequestsPerMinutePerProject"}]}
A_DAY = {"@type": QUOTA, "violations": [{"quotaId": "GenerateRequestsPerDayPerProject"}]}


@pytest.mark.parametrize("listed", [False, True])
def test_google_s_quota_of_a_minute_is_a_rate_limit_with_its_delay(listed: bool) -> None:
    body = google(A_MINUTE, SOON)
    error = classify(429, {}, json.dumps([body] if listed else body).encode())
    assert type(error) is RateLimited
    assert error.retry_after == pytest.approx(34.074824224)


@pytest.mark.parametrize("details", [(A_DAY, SOON), (SOON, A_DAY), (A_DAY,), ()])
def test_google_s_quota_of_a_day_takes_it_out(details: tuple[dict[str, Any], ...]) -> None:
    assert type(classify(429, {}, json.dumps(google(*details)).encode())) is OutOfService
