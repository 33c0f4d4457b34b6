from __future__ import annotations

import base64

import pytest

from tierwise.config import from_mapping
from tierwise.config.keeping import TelemetryConfig
from tierwise.errors import ConfigError
from tierwise.telemetry.settings import Settings, settings_of

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


def settled(environ: dict[str, str] | None = None, **written: object) -> Settings:
    found = settings_of(TelemetryConfig.model_validate(written), environ or {})
    assert found is not None
    return found


def test_nothing_is_sent_without_an_endpoint() -> None:
    assert settings_of(TelemetryConfig(), {}) is None
    assert settings_of(TelemetryConfig(), {"OTEL_SERVICE_NAME": "mine"}) is None


def test_an_endpoint_in_the_file_is_for_both_signals() -> None:
    found = settled(otlp_endpoint="http://c:4318/", headers={"X-Key": "k"}, sample=0.5)
    assert (found.traces_url, found.metrics_url) == (
        "http://c:4318/v1/traces",
        "http://c:4318/v1/metrics",
    )
    assert dict(found.traces_headers) == {"x-key": "k"}
    assert found.sample == 0.5
    assert "k'" not in repr(found)


def test_each_signal_can_be_left_out() -> None:
    assert settled(otlp_endpoint="http://c", traces=False).traces_url is None
    assert settled(otlp_endpoint="http://c", metrics=False).metrics_url is None
    both = TelemetryConfig(otlp_endpoint="http://c", traces=False, metrics=False)
    assert settings_of(both, {}) is None


def test_opentelemetrys_own_variables_are_heard() -> None:
    found = settled(
        {
            ENDPOINT: "http://c:4318",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t:1/traces",
            "OTEL_EXPORTER_OTLP_HEADERS": "api-key=a%20b,other=c",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "2500",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            "OTEL_SERVICE_NAME": "mine",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=test,service.name=theirs",
            "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
            "OTEL_TRACES_SAMPLER_ARG": "0.25",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "OTEL_METRIC_EXPORT_INTERVAL": "5000",
        }
    )
    assert (found.traces_url, found.metrics_url) == (
        "http://t:1/traces",
        "http://c:4318/v1/metrics",
    )
    assert dict(found.traces_headers) == {"api-key": "a b", "other": "c"}
    assert (found.timeout_s, found.gzip, found.delay_s, found.interval_s) == (2.5, True, 0.2, 5.0)
    resource = dict(found.resource)
    assert (resource["service.name"], resource["deployment.environment"]) == ("mine", "test")
    assert (found.sample, found.follow) == (0.25, True)


def test_what_the_file_says_comes_first_and_keys_are_not_sent_elsewhere() -> None:
    env = {
        ENDPOINT: "http://c",
        "OTEL_EXPORTER_OTLP_HEADERS": "key=secret",
        "OTEL_SERVICE_NAME": "theirs",
        "OTEL_TRACES_SAMPLER": "always_off",
    }
    found = settled(env, otlp_endpoint="http://mine", service_name="mine", sample=1.0)
    assert found.traces_url == "http://mine/v1/traces"
    assert dict(found.resource)["service.name"] == "mine"
    assert (found.sample, found.follow) == (1.0, False)
    assert found.traces_headers == ()
    assert settled(env).sample == 0.0


@pytest.mark.parametrize(
    "environ",
    [
        {ENDPOINT: "http://c", "OTEL_SDK_DISABLED": "true"},
        {ENDPOINT: "http://c", "OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"},
        {ENDPOINT: "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
    ],
)
def test_variables_can_keep_it_off(environ: dict[str, str]) -> None:
    assert settings_of(TelemetryConfig(), environ) is None


def test_a_protocol_that_is_not_spoken_is_told(caplog: pytest.LogCaptureFixture) -> None:
    env = {ENDPOINT: "http://me:pass@c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    assert settings_of(TelemetryConfig(), env) is None
    assert "http/protobuf" in caplog.text
    assert "4318" in caplog.text
    assert "pass" not in caplog.text


@pytest.mark.parametrize(
    ("variable", "written", "field"),
    [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "many", "queue"),
        ("OTEL_BSP_SCHEDULE_DELAY", "0", "delay_s"),  # looking without a pause takes a whole core
        ("OTEL_METRIC_EXPORT_INTERVAL", "0", "interval_s"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "inf", "timeout_s"),
    ],
)
def test_a_number_that_is_none_is_told_and_left_out(
    variable: str, written: str, field: str, caplog: pytest.LogCaptureFixture
) -> None:
    found = settled({ENDPOINT: "http://c", variable: written})
    assert getattr(found, field) == getattr(Settings(), field)
    assert variable in caplog.text


def test_a_name_and_a_password_in_a_variable_are_sent_as_a_header() -> None:
    found = settled({ENDPOINT: "https://me:p%40ss@c:4318"})
    assert found.traces_url == "https://c:4318/v1/traces"
    basic = base64.b64encode(b"me:p@ss").decode()
    assert dict(found.traces_headers) == dict(found.metrics_headers)
    assert dict(found.traces_headers) == {"authorization": f"Basic {basic}"}


def test_those_of_one_signal_are_for_that_one_and_a_header_that_is_written_comes_first() -> None:
    found = settled(
        {
            ENDPOINT: "http://c/a@b",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://me:word@t/v1/traces",
        }
    )
    assert (found.traces_url, found.metrics_url) == (
        "http://t/v1/traces",
        "http://c/a@b/v1/metrics",
    )
    assert "authorization" in dict(found.traces_headers)
    assert found.metrics_headers == ()
    env = {ENDPOINT: "http://me:word@c", "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Bearer%20k"}
    assert dict(settled(env).traces_headers) == {"authorization": "Bearer k"}


def test_a_line_break_behind_a_key_is_no_part_of_it() -> None:
    found = settled(otlp_endpoint="http://c", headers={"x-key": "k\n"})
    assert dict(found.traces_headers) == {"x-key": "k"}


def test_prompts_are_only_told_where_they_are_kept() -> None:
    data = {
        "providers": {"p": {"base_url": "http://127.0.0.1:9/v1", "models": ["gpt-4o"]}},
        "telemetry": {"content": True},
    }
    with pytest.raises(ConfigError, match=r"ledger\.store_content"):
        from_mapping(data, {})
    from_mapping({**data, "ledger": {"store_content": True}}, {})


def test_a_password_in_the_endpoint_is_refused_as_it_would_not_be_sent() -> None:
    endpoint = "http://me:hidden-word@collector:4318"
    data = {
        "providers": {"openai": {"api_key": "k", "models": ["gpt-4o"]}},
        "telemetry": {"otlp_endpoint": endpoint},
    }
    with pytest.raises(ConfigError, match=r"telemetry\.otlp_endpoint: a name and a") as caught:
        from_mapping(data, {})
    assert "hidden-word" not in str(caught.value)
