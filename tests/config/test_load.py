"""A wrong configuration is told the line and the remedy, and no secret is ever shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tierwise.config import Config, from_mapping, load, load_ledger
from tierwise.config.mistakes import each
from tierwise.errors import ConfigError

GOOD = """\
providers:
  openai:
    api_key: ${OPENAI_API_KEY}
    models: [gpt-4o, gpt-4o-mini]
"""
ENV = {"OPENAI_API_KEY": "sk-secret-secret"}


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def reading(text: str | bytes, environ: dict[str, str] | None = None) -> Config:
        file = tmp_path / "tierwise.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load(file, ENV if environ is None else environ)

    return reading


def test_a_good_file_is_read(read: Any) -> None:
    config = read(GOOD)
    key = config.providers["openai"].api_key
    assert key.get_secret_value() == "sk-secret-secret"
    assert config.server.port == 4100


@pytest.mark.parametrize(
    ("more", "line", "field", "words"),
    [
        ("server:\n  prot: 1\n", 6, "server.prot", ("'prot'", "Did you mean 'port'?")),
        ("servre: {}\n", 5, "servre", ("Did you mean 'server'?",)),
        ("server:\n  zzz: 1\n", 6, "server.zzz", ("Use any of:", "host")),
        ("server:\n  port: abc\n", 6, "server.port", ("integer", "'abc'", "--schema")),
        ("server:\n  port: 70000\n", 6, "server.port", ("65535", "70000")),
        ("server: 5\n", 5, "server", ("dictionary", "5")),
        ("server:\n  port: on\n", 6, "server.port", ("no number", "True")),
        ("server:\n  limits: {rpm: true}\n", 6, "server.limits.rpm", ("a number", "above 0")),
        ("server:\n  notice_s: yes\n", 6, "server.notice_s", ("no number",)),
        ("server:\n  host: 2026-01-01\n", 6, "server.host", ("in quotes",)),
        ("router: {artifact: no}\n", 5, "router.artifact", ("False", "in quotes")),
        ("policies:\n  off: {}\n", 6, "policies.off", ("'off'", "in quotes")),
        ("policies:\n  auto: {tiers: []}\n", 6, "policies.auto.tiers", ("at least 1", "leave")),
        (
            "policies:\n  auto: {weights: {cots: 1}}\n",
            6,
            "policies.auto.weights.cots",
            ("Did you mean 'cost'?",),
        ),
        (
            "models:\n  limits: {familly: a}\n",
            6,
            "models.limits.familly",
            ("Did you mean 'family'?",),
        ),
        (
            "guardrails:\n  big: {kind: ceilings, max_chars: true}\n",
            6,
            "guardrails.big.max_chars",
            ("no number",),
        ),
        ("policies:\n  auto:\n    quality: 3\n", 7, "policies.auto.quality", ("got 3",)),
        (
            "policies:\n  auto:\n    qualty: 1\n",
            7,
            "policies.auto.qualty",
            ("Did you mean 'quality'?",),
        ),
        (
            "policies:\n  auto:\n    tiers:\n      - model: x\n        gate: [a]\n",
            9,
            "policies.auto.tiers.0.gate",
            ("Did you mean 'gates'?",),
        ),
        (
            "models:\n  x:\n    prices: {input: 1}\n",
            7,
            "models.x.prices.output",
            ("missing", "Add it"),
        ),
        ("models:\n  x:\n    prices: {input: -1, output: 1}\n", 7, "models.x.prices.input", ("0",)),
        (
            "models:\n  x:\n    capabilities: [tols]\n",
            7,
            "models.x.capabilities",
            ("tols", "tools"),
        ),
        ("models:\n  x:\n    specialises: [law]\n", 7, "models.x.specialises", ("law", "legal")),
        ("ledger:\n  queue_size: 1\n", 6, "ledger.queue_size", ("100",)),
        ("timeouts:\n  total: 0\n", 6, "timeouts.total", ("greater than 0",)),
        ("timeouts:\n  slow: yes\n", 6, "timeouts.slow", ("no number", "True")),
        (
            "server:\n  limits:\n    rpm: true\n",
            7,
            "server.limits.rpm",
            ("no number", "above 0"),
        ),
        (
            "guardrails:\n  big:\n    kind: ceilings\n    max_chars: on\n",
            8,
            "guardrails.big.max_chars",
            ("no number",),
        ),
    ],
)
def test_a_mistake_is_told_with_its_line_and_remedy(
    read: Any, more: str, line: int, field: str, words: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigError) as caught:
        read(GOOD + more)
    error = caught.value
    assert (error.line, error.field) == (line, field)
    assert error.remedy
    assert str(error).startswith(f"{error.file}:{line}: {field}: ")
    for word in words:
        assert word in str(error)


@pytest.mark.parametrize(
    ("item", "field", "word"),
    [
        ("{model: x, wieght: 2}", "providers.p.models.0.wieght", "Did you mean 'weight'?"),
        ("{model: x, weight: heavy}", "providers.p.models.0.weight", "number"),
        ("{upstream: x}", "providers.p.models.0.model", "missing"),
        ("3", "providers.p.models.0", "got 3"),
    ],
)
def test_a_mistake_within_a_listed_model_is_found(
    read: Any, item: str, field: str, word: str
) -> None:
    with pytest.raises(ConfigError, match="providers") as caught:
        read(f"providers:\n  p:\n    models:\n      - {item}\n")
    assert (caught.value.field, caught.value.line) == (field, 4)
    assert word in str(caught.value)


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("providers: [a\n", 2, "not valid YAML"),
        ("a: b: c\n", 1, "not valid YAML"),
        ("x:\n\t- y\n", 2, "takes no tabs"),
        ("", None, "must hold a mapping"),
        ("- a\n", None, "must hold a mapping"),
        ("{}\n", None, "providers: missing"),
        ("providers: {}\n", 1, "at least 1"),
        ("providers:\n  openai:\n    models: []\n", 3, "at least 1"),
        (b"\xff\xfe\x00", None, "UTF-8"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(
    read: Any, text: str | bytes, line: int | None, word: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert caught.value.line == line
    assert word in str(caught.value)
    assert caught.value.remedy


def test_a_missing_file_is_said_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tierwise init"):
        load(tmp_path / "nope.yaml", {})


def test_a_section_whose_lines_are_commented_out_is_as_good_as_none(read: Any) -> None:
    config = read(GOOD + "policies:\n  # auto:\nmodels:\nserver:\n")
    assert (config.policies, config.models, config.server.port) == ({}, {}, 4100)


def test_every_mistake_is_told_on_a_line_of_its_own_in_the_order_of_the_file(read: Any) -> None:
    text = "ledger:\n  queue_size: 1\n" + GOOD + "server:\n  port: abc\n  prot: 1\n"
    with pytest.raises(ConfigError) as caught:
        read(text + "servre: {}\n")
    lines = str(caught.value).splitlines()
    found = [line.split(": ")[0].rpartition(":")[2] for line in lines]
    assert found == ["2", "8", "9", "10"]
    assert [one.field for one in each(caught.value)] == [
        "ledger.queue_size",
        "server.port",
        "server.prot",
        "servre",
    ]


@pytest.mark.parametrize(
    ("text", "line", "field", "first"),
    [
        (GOOD + "  openai:\n    models: [gpt-4o]\n", 5, "providers.openai", 2),
        (GOOD + "    models: [gpt-4o]\n", 5, "providers.openai.models", 4),
        (GOOD + "providers: {}\n", 5, "providers", 1),
        (GOOD + "policies:\n  a:\n    tiers: [{model: x, model: y}]\n", 7, None, 7),
    ],
)
def test_a_key_that_stands_twice_is_refused(
    read: Any, text: str, line: int, field: str | None, first: int
) -> None:
    with pytest.raises(ConfigError, match=f"stands here already, in line {first}") as caught:
        read(text)
    assert caught.value.line == line
    assert caught.value.field == (field or "policies.a.tiers.0.model")
    assert caught.value.remedy


def test_a_key_may_stand_again_where_another_mapping_is_merged_in(read: Any) -> None:
    more = "policies:\n  a: &a {quality: 0.5}\n  b:\n    <<: *a\n    quality: 0.6\n"
    config = read(GOOD + more)
    assert (config.policies["a"].quality, config.policies["b"].quality) == (0.5, 0.6)


@pytest.mark.parametrize(
    ("first", "rest"),
    [("[x, x]", "[{}]"), ("{x: 1}", "{{<<: [{}]}}"), ("{x: 1}", "{{x: [{}]}}")],
)
def test_aliases_that_stand_for_too_much_are_refused_before_they_are_written_out(
    read: Any, first: str, rest: str
) -> None:
    lines = [f"a0: &a0 {first}"] + [
        f"a{n}: &a{n} {rest.format(', '.join([f'*a{n - 1}'] * 9))}" for n in range(1, 12)
    ]
    with pytest.raises(ConfigError, match="aliases written out"):
        read("\n".join(lines))


def test_an_alias_to_what_it_stands_in_is_refused(read: Any) -> None:
    with pytest.raises(ConfigError, match="refers to what it stands in"):
        read(GOOD + "policies: &p\n  auto: *p\n")


# --- the environment


def test_a_reference_to_nothing_is_told_with_its_line(read: Any) -> None:
    with pytest.raises(ConfigError, match="OPENAI_API_KEY is not set") as caught:
        read(GOOD, {})
    assert (caught.value.line, caught.value.field) == (3, "providers.openai.api_key")
    assert "${OPENAI_API_KEY:-default}" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "environ", "expected"),
    [
        ("${A}", {"A": "x"}, "x"),
        ("${A:-y}", {"A": "x"}, "x"),
        ("${A:-y}", {}, "y"),
        ("${A:-}", {}, ""),
        ("pre-${A}-${B}", {"A": "x", "B": "z"}, "pre-x-z"),
        ("$A $${", {"A": "x"}, "$A $${"),
        ("${A}", {"A": "${B}"}, "${B}"),
    ],
)
def test_references_are_taken_from_the_environment(
    text: str, environ: dict[str, str], expected: str
) -> None:
    config = from_mapping({"providers": {"p": {"region": text, "models": ["x"]}}}, environ)
    assert config.providers["p"].region == expected


def test_references_work_in_lists_too() -> None:
    config = from_mapping({"providers": {"p": {"models": ["${M}"]}}}, {"M": "x"})
    assert config.providers["p"].models == ["x"]


@pytest.mark.parametrize(
    ("name", "value", "path", "expected"),
    [
        ("TIERWISE__SERVER__PORT", "8080", ("server", "port"), 8080),
        ("TIERWISE__SERVER__HOST", "0.0.0.0", ("server", "host"), "0.0.0.0"),  # noqa: S104
        ("TIERWISE__LEDGER__STORE_CONTENT", "true", ("ledger", "store_content"), True),
    ],
)
def test_a_variable_overrides_the_field_that_it_spells(
    read: Any, name: str, value: str, path: tuple[str, str], expected: Any
) -> None:
    config = read(GOOD, {**ENV, name: value})
    assert getattr(getattr(config, path[0]), path[1]) == expected


def test_an_override_can_add_what_the_file_has_not(read: Any) -> None:
    config = read(GOOD, {**ENV, "TIERWISE__POLICIES__CHEAP__QUALITY": "0.5"})
    assert config.policies["cheap"].quality == 0.5


@pytest.mark.parametrize("key", ["123456789", "true", "null", "1e5"])
def test_a_key_in_a_variable_is_text_whatever_it_looks_like(read: Any, key: str) -> None:
    config = read(GOOD, {**ENV, "TIERWISE__PROVIDERS__OPENAI__API_KEY": key})
    assert config.providers["openai"].api_key.get_secret_value() == key


@pytest.mark.parametrize(
    ("environ", "word"),
    [
        ({"TIERWISE__SERVER__PORT": "["}, "TIERWISE__SERVER__PORT is not valid YAML"),
        ({"TIERWISE__SERVER__PORT__X": "1", "TIERWISE__SERVER__PORT": "1"}, "has no fields"),
        ({"TIERWISE__SERVER__PROT": "1"}, "Did you mean 'port'?"),
        ({"TIERWISE__SERVER": "5"}, "dictionary"),
    ],
)
def test_a_wrong_override_is_explained(read: Any, environ: dict[str, str], word: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(GOOD, {**ENV, **dict(sorted(environ.items()))})
    assert word in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value", "field"),
    [
        ("TIERWISE__SERVER__PORT", "xx", "server.port"),
        ("TIERWISE__SERVER__PROT", "1", "server.prot"),
        ("TIERWISE__POLICIES__CHEAP__TIERS", "[{}]", "policies.cheap.tiers.0.model"),
        ("TIERWISE__MODELS__M__PRICES__INPUT", "1", "models.m.prices.output"),
    ],
)
def test_a_wrong_override_is_blamed_on_its_variable_and_not_on_the_file(
    read: Any, variable: str, value: str, field: str
) -> None:
    text = "server:\n  port: 4100\n" + GOOD
    with pytest.raises(ConfigError, match=f"from the environment variable {variable}") as caught:
        read(text, {**ENV, variable: value})
    error = caught.value
    assert (error.file, error.line, error.field) == (None, None, field)
    with pytest.raises(ConfigError) as other:
        read("server:\n  port: abc\n" + GOOD, {**ENV, "TIERWISE__SERVER__HOST": "::1"})
    assert other.value.line == 2


def test_an_override_makes_up_for_a_variable_that_is_not_set(read: Any) -> None:
    config = read(GOOD, {"TIERWISE__PROVIDERS__OPENAI__API_KEY": "k"})
    assert config.providers["openai"].api_key.get_secret_value() == "k"


def test_every_variable_that_is_not_set_is_named(read: Any) -> None:
    text = GOOD + "    base_url: ${NOWHERE}\nserver:\n  port: ${PORT}\n"
    with pytest.raises(ConfigError) as caught:
        read(text, {})
    assert [(one.field, one.line) for one in each(caught.value)] == [
        ("providers.openai.api_key", 3),
        ("providers.openai.base_url", 5),
        ("server.port", 7),
    ]


KEYED = (
    GOOD + "    headers: {x-key: '${OTHER}'}\nserver:\n  host: 0.0.0.0\n  api_keys: ['${MINE}']\n"
)


def test_without_need_of_keys_their_variables_may_be_unset(tmp_path: Path) -> None:
    file = tmp_path / "tierwise.yaml"
    file.write_text(KEYED)
    config = load(file, {}, needs_keys=False)
    assert [(e.file, e.line, e.field) for e in config.origin.unset] == [
        (str(file), 3, "providers.openai.api_key"),
        (str(file), 5, "providers.openai.headers.x-key"),
        (str(file), 8, "server.api_keys.0"),
    ]
    assert len(config.server.api_keys) == 1
    with pytest.raises(ConfigError, match="OPENAI_API_KEY is not set"):
        load(file, {})


def test_other_variables_are_needed_even_where_keys_are_not(tmp_path: Path) -> None:
    file = tmp_path / "tierwise.yaml"
    file.write_text(GOOD + "    base_url: ${NOWHERE}\n")
    with pytest.raises(ConfigError, match="NOWHERE is not set") as caught:
        load(file, {}, needs_keys=False)
    assert caught.value.field == "providers.openai.base_url"


def test_the_ledger_s_section_is_read_whatever_the_others_hold(tmp_path: Path) -> None:
    file = tmp_path / "tierwise.yaml"
    file.write_text(KEYED + "servre: 5\nledger:\n  path: ${WHERE:-mine.db}\n")
    environ = {"TIERWISE__SERVER__PORT": "xx", "TIERWISE__LEDGER__QUEUE_SIZE": "200"}
    ledger = load_ledger(file, environ)
    assert (ledger.path, ledger.queue_size) == ("mine.db", 200)
    file.write_text(GOOD)
    assert load_ledger(file, {}).path == "tierwise.db"
    assert load_ledger(None, {"TIERWISE__LEDGER__PATH": "ours.db"}).path == "ours.db"
    file.write_text(GOOD + "ledger:\n  pth: x\n")
    with pytest.raises(ConfigError, match="Did you mean 'path'") as caught:
        load_ledger(file, {})
    assert (caught.value.line, caught.value.field) == (6, "ledger.pth")


def test_keys_for_clients_are_added_from_the_environment(read: Any) -> None:
    text = GOOD + "server:\n  api_keys: [one]\n"
    config = read(text, {**ENV, "TIERWISE_API_KEYS": " two, three ,"})
    keys = [key.get_secret_value() for key in config.server.api_keys]
    assert keys == ["one", "two", "three"]


def test_the_caller_s_mapping_is_left_as_it_was() -> None:
    data: dict[str, Any] = {"providers": {"p": {"models": ["x"]}}, "server": {"port": 1}}
    from_mapping(data, {"TIERWISE_API_KEYS": "k", "TIERWISE__SERVER__PORT": "2"})
    assert data == {"providers": {"p": {"models": ["x"]}}, "server": {"port": 1}}


# --- secrets

SECRET = "hunter2-hunter2"


@pytest.mark.parametrize(
    "provider",
    [
        {"api_key": SECRET, "models": ["x"]},
        {"headers": {"Authorization": f"Bearer {SECRET}"}, "models": ["x"]},
    ],
)
def test_secrets_are_not_in_what_is_printed_of_a_configuration(provider: dict[str, Any]) -> None:
    config = from_mapping({"providers": {"p": provider}, "server": {"api_keys": [SECRET]}}, {})
    assert SECRET not in repr(config) + str(config) + config.model_dump_json()


@pytest.mark.parametrize(
    "text",
    [
        "providers:\n  p:\n    api_key: [7777777]\n    models: [x]\n",
        "providers:\n  p:\n    api_key: 7777777\n    models: [x]\n",
        "providers:\n  p:\n    headers: {authorization: 7777777}\n    models: [x]\n",
        "providers:\n  p:\n    models: [x]\nserver:\n  api_keys: 7777777\n",
        "providers:\n  p:\n    models: [x]\nserver:\n  api_keys: [7777777]\n",
    ],
)
def test_secrets_are_not_in_errors(read: Any, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert "7777777" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_off_needs_no_quotes_though_yaml_takes_it_for_false(read: Any) -> None:
    text = "providers: {p: {base_url: http://h/v1, models: [gpt-4o]}}\n"
    config = read(text + "cache: {mode: off}\npolicies: {auto: {cache: off}}\n", {})
    assert (config.cache.mode, config.policies["auto"].cache) == ("off", "off")
