"""Policies: as they are, a copy edited, what it would have cost, and applied."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pydantic
import yaml
from sqlalchemy import Connection
from starlette.responses import Response

from tierwise.assembly import gates_of
from tierwise.config import Config, build, load
from tierwise.config.build import DEFAULT_POLICIES
from tierwise.config.schema import PolicyConfig
from tierwise.dashboard import policy_file
from tierwise.dashboard.context import Visit
from tierwise.dashboard.edit import Edit, edit_of, read_edit
from tierwise.dashboard.preview import MOST, Preview
from tierwise.dashboard.preview import preview as estimate
from tierwise.dashboard.scope import asked_by
from tierwise.errors import ConfigError, InvalidRequest
from tierwise.ledger.glance import records
from tierwise.ledger.pages import Total, totals
from tierwise.types import Record

log = logging.getLogger("tierwise.dashboard")

WEEK_S = 7 * 86_400
_FOR_THIS = "Changing policies"


async def show(visit: Visit) -> Response:
    """`GET /dashboard/policies`."""
    asked = asked_by(visit.visitor, since=time.time() - WEEK_S)

    def read(connection: Connection) -> list[Total]:
        return totals(connection, asked, "policy")

    found = {str(total.names[0]): total for total in await visit.reading(read)}
    allowed = visit.visitor.policies
    policies = {
        name: policy
        for name, policy in visit.face.orchestrator.setup.policies.items()
        if not allowed or name in allowed
    }
    return visit.page("policies.html", title="Policies", policies=policies, totals=found)


async def edit(visit: Visit) -> Response:
    """`GET /dashboard/policies/{name}`."""
    visit.operate(_FOR_THIS)
    name = visit.request.path_params["name"]
    return _form(visit, edit_of(_current(visit.face.config, name), name))


async def preview(visit: Visit) -> Response:
    """`POST /dashboard/policies/{name}/preview`."""
    visit.operate(_FOR_THIS)
    form = await visit.form()
    original = visit.request.path_params["name"]
    try:
        wanted = read_edit(form, original)
        made, text = await asyncio.to_thread(_made, visit.face.config, original, wanted)
        found = await _estimated(visit, original, wanted, made)
    except (ConfigError, InvalidRequest) as error:
        return _form(visit, _as_sent(form, original), told=str(error), status=400)
    file = visit.face.config.origin.file
    before, after = text
    return _form(
        visit,
        wanted,
        found=found,
        file=file,
        writable=file is not None and os.access(file, os.W_OK),
        seen=_mark(before),
        paste="policies:\n"
        + policy_file.written(wanted.name, _fields(before, original, wanted), 2),
        difference=policy_file.difference(before, after, Path(file).name) if file else [],
    )


async def apply(visit: Visit) -> Response:
    """`POST /dashboard/policies/{name}/apply`: writes the file, and has it read."""
    visit.operate(_FOR_THIS)
    form = await visit.form()
    original = visit.request.path_params["name"]
    wanted = read_edit(form, original)
    file = visit.face.config.origin.file
    if file is None:
        raise InvalidRequest(
            "The gateway was started without a configuration file, so there is nothing to write "
            "to. Write one with `tierwise init`, and start with `--config FILE`."
        )
    try:
        _, (before, after) = await asyncio.to_thread(_made, visit.face.config, original, wanted)
        if _mark(before) != form.get("seen", [""])[0]:
            told = f"{file} has changed since the preview. Look at the difference once more."
            return _form(visit, wanted, told=told, status=409)
        await asyncio.to_thread(_write, Path(file), after)
        try:
            await visit.face.reload()
        except ConfigError:
            await asyncio.to_thread(_write, Path(file), before)
            raise
    except (ConfigError, OSError, InvalidRequest) as error:
        return _form(visit, wanted, told=f"Not applied: {error}", status=400)
    await asyncio.to_thread(_note, visit, original, wanted, before)
    return visit.to("/dashboard/policies?done=applied")


def _current(config: Config, name: str) -> PolicyConfig:
    found = config.policies.get(name) or DEFAULT_POLICIES.get(name)
    if found is None:
        known = sorted({**DEFAULT_POLICIES, **config.policies})
        raise InvalidRequest(f"There is no policy {name!r}. There are: {', '.join(known)}.")
    return found


def _fields(text: str, original: str, wanted: Edit) -> dict[str, Any]:
    """A policy as the file has it, with what was edited."""
    return wanted.over(policy_file.in_file(text, original) if text else {})


def _made(config: Config, original: str, wanted: Edit) -> tuple[PolicyConfig, tuple[str, str]]:
    """The policy as edited, and the file's text before and after; all of it is checked.

    Raises:
        ConfigError: the configuration could not be used with it.
    """
    current = _current(config, original)
    if wanted.name != original and wanted.name in {**DEFAULT_POLICIES, **config.policies}:
        raise InvalidRequest(f"`name` is {wanted.name!r}, and there is a policy of this name.")
    _check_code(config, wanted)
    file = config.origin.file
    text = Path(file).read_text(encoding="utf-8") if file is not None else ""
    fields = wanted.over(current.model_dump(exclude_unset=True, exclude_none=True))
    try:
        made = PolicyConfig.model_validate(fields)
    except pydantic.ValidationError as invalid:
        first = invalid.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise InvalidRequest(f"`{where}`: {first['msg']}.", param=where) from None
    setup = build(config.model_copy(update={"policies": {**config.policies, wanted.name: made}}))
    gates_of(setup)
    if file is None:
        return made, ("", "")
    after = policy_file.with_policy(text, wanted.name, _fields(text, original, wanted))
    _check(Path(file), after)
    return made, (text, after)


def _check_code(config: Config, wanted: Edit) -> None:
    """Whether a page may name these gates: to load code of one's own is for the file to say.

    Raises:
        InvalidRequest: it may not.
    """
    known = {gate for policy in config.policies.values() for gate in policy.gates}
    for gate in (part.strip() for part in wanted.gates.split(",")):
        if ":" in gate and gate not in known:
            raise InvalidRequest(
                f"`gates` has {gate[:80]!r}, which is code of your own that no policy of the "
                "configuration names yet. Name it there first.",
                param="gates",
            )


def _check(file: Path, text: str) -> None:
    """Whether a text could stand in the file.

    Raises:
        ConfigError: it could not.
    """
    # Beside it, since references to files go from there; elsewhere if that cannot be written.
    folder = file.parent if os.access(file.parent, os.W_OK) else None
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", suffix=".new", dir=folder)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as new:
            new.write(text)
        build(load(name, needs_keys=False))
    except yaml.YAMLError as error:
        raise ConfigError(f"the file would not be valid YAML: {error}") from None
    finally:
        Path(name).unlink()


def _write(file: Path, text: str) -> None:
    """Puts a text in a file's place, at once where its folder lets us."""
    mode = file.stat().st_mode & 0o777
    if not os.access(file.parent, os.W_OK) or file.is_symlink():
        file.write_text(text, encoding="utf-8")  # such as a file that is mounted by itself
        return
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", suffix=".new", dir=file.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as new:
            new.write(text)
            new.flush()
            os.fsync(new.fileno())
        Path(name).chmod(mode)
        Path(name).replace(file)
    except OSError:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _note(visit: Visit, original: str, wanted: Edit, before: str) -> None:
    """Says in the log, and in the audit log where there is one, who changed what."""
    actor = visit.visitor.actor
    log.warning("%s has changed the policy %s", actor.name, wanted.name)
    accounts = visit.face.accounts
    if accounts is not None:
        old = policy_file.in_file(before, wanted.name)
        with accounts.database.act(actor) as act:
            act.note(
                "policy.change",
                wanted.name,
                None,
                before=old,
                after=_fields(before, original, wanted),
            )


async def _estimated(
    visit: Visit, original: str, wanted: Edit, made: PolicyConfig
) -> Preview | None:
    asked = asked_by(visit.visitor, since=time.time() - WEEK_S, policy=(original,))

    def read(connection: Connection) -> tuple[list[Record], int]:
        found = records(connection, asked, limit=MOST)
        return found, sum(total.requests for total in totals(connection, asked))

    found, requests = await visit.reading(read)
    if not found:
        return None
    face = visit.face
    edited = {**face.config.policies, wanted.name: made}
    setup = build(face.config.model_copy(update={"policies": edited}))
    predictor = face.orchestrator.router.predictor
    return await asyncio.to_thread(
        estimate, setup.policies[wanted.name], setup, predictor, found, requests
    )


def _as_sent(form: Mapping[str, Sequence[str]], original: str) -> Edit:
    """What was filled in, wrong as it may be."""
    texts = {name: form.get(name, [""])[0] for name in Edit.texts()}
    return Edit.sent(original, texts, form)


def _form(visit: Visit, wanted: Edit, status: int = 200, **values: Any) -> Response:
    setup = visit.face.orchestrator.setup
    shown: dict[str, Any] = {
        "told": "",
        "found": None,
        "file": visit.face.config.origin.file,
        "writable": False,
        "seen": None,
        "paste": "",
        "difference": [],
        "previewed": "seen" in values,
        **values,
    }
    original = visit.request.path_params["name"]
    providers = sorted(visit.face.config.providers)
    return visit.page(
        "policy.html",
        status,
        title=f"Policy {original}",
        original=original,
        wanted=wanted,
        models=sorted(setup.models),
        providers=providers,
        **shown,
    )


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
