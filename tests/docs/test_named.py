"""What the documentation names is there: commands, fields, metrics, headers, extras, links."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from tierwise.cli import app
from tierwise.config.schema import json_schema
from tierwise.errors import RequestError
from tierwise.server.families import ALL
from tierwise.server.source import FIXED

ROOT = Path(__file__).parents[2]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted((ROOT / "docs").glob("*.md")),
    )
}
DEPLOYED = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (ROOT / "deploy" / "Dockerfile", ROOT / "deploy" / "compose.yaml")
}
SOURCE = "\n".join(
    path.read_text(encoding="utf-8") for path in (ROOT / "src" / "tierwise").rglob("*.py")
)


def commands(one: Any, path: str = "") -> Iterator[tuple[str, set[str]]]:
    """Every command with its options."""
    yield path, {"--help", *(name for p in one.params for name in (*p.opts, *p.secondary_opts))}
    for name, below in getattr(one, "commands", {}).items():
        yield from commands(below, f"{path} {name}".strip())


OF_A_FLEET = set(
    re.findall(
        r"\bcode=\"(\w+)\"",
        "".join(f.read_text("utf-8") for f in (ROOT / "src/tierwise/fleet").glob("*.py")),
    )
)
"""What simulated providers say, and the gateway does not."""
COMMANDS = dict(commands(typer.main.get_command(app)))


def asked_for() -> Iterator[tuple[str, str, str]]:
    """Each call of the command line: its page, the command, and what follows it."""
    # `tierwise continued by` is a comment within a stream.
    call = re.compile(
        r"(?<!from )(?<!install )\btierwise (?!continued)([a-z]+)(?: ([a-z]+))?([^`\n;|#&]*)"
    )
    for page, text in PAGES.items():
        for first, second, rest in call.findall(text.replace("\\\n", " ")):
            whole = f"{first} {second}"
            yield page, whole if whole in COMMANDS else first, rest


def test_every_command_and_option_that_is_shown_is_there() -> None:
    shown = list(asked_for())
    assert len({command for _, command, _ in shown}) > 20
    for page, command, rest in shown:
        assert command in COMMANDS, f"{page}: tierwise {command}"
        for option in re.findall(r"(?<![\w-])--?[a-z][\w-]*", rest):
            assert option in COMMANDS[command], f"{page}: tierwise {command} {option}"


def test_the_readme_names_all_commands() -> None:
    (listed,) = re.findall(r"^## Commands\n\n(.*?);", PAGES["README.md"], re.S | re.M)
    top = {name for name in COMMANDS if name and " " not in name}
    assert set(re.findall(r"`([a-z]+)`", listed)) == top


def kinds(of: type[RequestError]) -> Iterator[type[RequestError]]:
    """An error and all that are kinds of it."""
    yield of
    for kind in of.__subclasses__():
        yield from kinds(kind)


def test_the_page_of_errors_has_every_code_with_its_status() -> None:
    rows = re.findall(r"^\| (\d{3}) \| (.*?) \|", PAGES["docs/errors.md"], re.M)
    shown = {
        (int(status), code) for status, codes in rows for code in re.findall(r"`(\w+)`", codes)
    }
    told = {
        (one.status, one.code)
        for one in kinds(RequestError)
        # Those of the dashboard, which other tests may have imported, are told on its pages.
        if one.code and not one.__module__.startswith("tierwise.dashboard")
    }
    assert told <= shown
    assert set(re.findall(r"\bcode=\"(\w+)\"", SOURCE)) - OF_A_FLEET <= {code for _, code in shown}


def below(schema: Any, place: Any, name: str) -> Iterator[Any]:
    """What the JSON Schema has at a field of a place."""
    while "$ref" in place:
        place = schema["$defs"][place["$ref"].rpartition("/")[2]]
    for choice in place.get("anyOf", ()):
        yield from below(schema, choice, name)
    if "items" in place:
        yield from below(schema, place["items"], name)
    if name in place.get("properties", ()):
        yield place["properties"][name]
    elif isinstance(place.get("additionalProperties"), dict):
        yield place["additionalProperties"]


def test_every_field_of_the_configuration_that_is_named_is_there() -> None:
    schema = json_schema()
    named = [
        (page, field)
        for page, text in PAGES.items()
        for field in re.findall(r"`([a-z]+(?:\.[a-zA-Z_-]+)+)(?:: [^`]*)?`", text)
        if field.partition(".")[0] in schema["properties"]
    ]
    assert len(named) > 30
    for page, field in named:
        places = [schema]
        for step in field.split("."):
            places = [found for place in places for found in below(schema, place, step)]
        assert places, f"{page}: {field}"


def test_every_field_of_the_configuration_says_what_it_is() -> None:
    schema = json_schema()
    for section, shape in {**schema["$defs"], "Config": schema}.items():
        for name, field in shape.get("properties", {}).items():
            assert field.get("description"), f"{section}.{name}"


def test_the_page_of_metrics_has_all_of_them_with_their_labels() -> None:
    text = PAGES["docs/observability.md"].partition("| metric | labels |")[2].partition("\n\n")[0]
    shown = {}
    for row in text.splitlines()[2:]:
        names, labels = row.strip("|").split("|")
        for name in re.findall(r"`(\w+)`", names):
            shown[name] = set(re.findall(r"`(\w+)`", labels))
    there = {f"{one.name}_total" if one.kind == "counter" else one.name: one for one in ALL}
    assert set(shown) == set(there)
    for name, family in there.items():
        assert set(family.labels) <= shown[name] | {"version", "python"}, name


@pytest.mark.parametrize("page", PAGES)
def test_every_metric_that_is_named_is_there(page: str) -> None:
    ends = {"counter": ("_total",), "gauge": ("",), "histogram": ("", "_bucket", "_sum", "_count")}
    there = {one.name + end for one in ALL for end in ends[one.kind]}
    assert set(re.findall(r"`(tierwise_\w+)", PAGES[page])) <= there


def test_the_page_of_operations_names_what_only_a_restart_changes() -> None:
    text = PAGES["docs/operations.md"]
    (sentence,) = re.findall(r"A change of (.*?) needs a restart", text, re.S)
    named = set(re.findall(r"`([a-z_.]+)`", sentence))
    for field in FIXED:
        assert field in named or field.partition(".")[0] in named, field


def test_what_the_page_of_operations_says_that_the_log_says_is_said() -> None:
    """Whoever looks for it at night must find it."""
    table = PAGES["docs/operations.md"].partition("| what | the log |")[2].partition("\n\n")[0]
    said = [
        word for row in table.splitlines()[2:] for word in re.findall(r"`(.*?)`", row.split("|")[2])
    ]
    assert len(said) > 8
    for words in said:
        assert re.search(rf"log\.\w+\([^)]*{words}", SOURCE), words


@pytest.mark.parametrize("page", [*PAGES, *DEPLOYED])
def test_every_extra_that_is_named_is_there(page: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    there = set(project["project"]["optional-dependencies"])
    pattern = r"tierwise\[([\w,]+)\]|'\.\[([\w,]+)\]|EXTRAS=([\w,]+)|extra `(\w+)`|`(\w+)` extra"
    text = {**PAGES, **DEPLOYED}[page]
    named = {one for found in re.findall(pattern, text) for one in "".join(found).split(",")}
    assert named <= there


@pytest.mark.parametrize("page", PAGES)
def test_every_header_that_is_named_is_there(page: str) -> None:
    for name in set(re.findall(r"`(x-tierwise-[a-z-]+)", PAGES[page])):
        assert name in SOURCE


def test_the_page_of_endpoints_has_every_header_of_requests_and_answers() -> None:
    described = (ROOT / "src/tierwise/server/openapi.yaml").read_text(encoding="utf-8")
    # An extension of the description, by which paths are marked, is no header.
    named = set(re.findall(r"\bx-tierwise-[a-z-]+\b", described)) - {"x-tierwise-passed-through"}
    assert len(named) > 15
    shown = PAGES["docs/endpoints.md"].partition("## Headers")[2].partition("## In Python")[0]
    assert named | {"x-tierwise-provider", "x-tierwise-replayed"} <= set(
        re.findall(r"`(x-tierwise-[a-z-]+)`", shown)
    )


@pytest.mark.parametrize("page", PAGES)
def test_every_call_of_tierwise_s_own_is_described(page: str) -> None:
    file = ROOT / "src" / "tierwise" / "server" / "openapi.yaml"
    described = yaml.safe_load(file.read_text(encoding="utf-8"))["paths"]
    patterns = [re.sub(r"\\\{\w+\\\}", "[^?]+", re.escape(path)) for path in described]
    own = r"(/v1/(?:admin|accounts|certificate|decisions|feedback|status)\b[\w/{}.-]*|/health/\w+)"
    for call in re.findall(rf"(?:`|GET |POST |DELETE |4100){own}", PAGES[page]):
        assert any(re.fullmatch(pattern, call) for pattern in patterns), call


def anchors(text: str) -> set[str]:
    """The headings of a page, as addresses."""
    without_code = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    found = re.findall(r"^#+ (.*)$", without_code, re.M)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in found)
    return {re.sub(r"[^\w -]", "", one).strip().lower().replace(" ", "-") for one in plain}


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_the_links_of_pages_outside_the_site_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for file, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", text):
        target = ROOT / (file or page)
        assert target.exists(), file
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), f"{file}#{anchor}"
