"""What an orchestrator is put together from: its configuration, what was learned, its gates."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tierwise.cache import Cache, InProcess
from tierwise.cache.cache import Mode
from tierwise.config import Config, Setup, from_mapping, load
from tierwise.config.discover import discover
from tierwise.config.schema import NONE, SHIPPED
from tierwise.errors import ConfigError
from tierwise.gates import load_gates
from tierwise.gates.base import PROBES, Gate, Slow

if TYPE_CHECKING:
    from tierwise.execution.course import Courses
    from tierwise.gates.probe import Probe
    from tierwise.guardrails.rules import Counts, Rules
    from tierwise.routing.build import Brain


def read_config(source: Mapping[str, Any] | str | Path | None) -> Config:
    """The configuration of a file or a mapping; None takes what is found on this machine.

    Raises:
        ConfigError: it is wrong, or nothing was found.
    """
    if isinstance(source, Mapping):
        return from_mapping(source)
    if source is not None:
        return load(source)
    found = discover(os.environ)
    if not found.providers:
        raise ConfigError(
            "no configuration was given, and no API key or local server was found here",
            remedy="Pass a file or a mapping, or set a key such as OPENAI_API_KEY.",
        )
    return from_mapping({"providers": found.providers})


def brain_loader(config: Config, setup: Setup) -> Callable[[], Brain] | None:
    """How to load what was learned; None if rules decide.

    An operator's own file is loaded at once, because an error in it is one of the configuration.
    """
    wanted = config.router.artifact
    if wanted == NONE or (wanted == SHIPPED and len(setup.models) < 2):
        return None

    def load() -> Brain:
        # Imported only here: a gateway without a brain does not pay for numpy.
        from tierwise.routing.build import load_brain

        return load_brain(wanted, setup.models, setup.catalog)

    if wanted == SHIPPED:
        return load
    brain = load()
    courses_of(brain)
    return lambda: brain


def courses_of(brain: Brain) -> Courses | None:
    """Who judges answers and chooses whom to ask by them, if that was learned.

    Raises:
        ConfigError: it was learned of other features than this version reads.
    """
    if brain.predictor.cascade is None:
        return None
    # Imported only here: most routers did not learn it.
    from tierwise.execution.course import Courses

    return Courses(brain.predictor.cascade)


def gates_of(setup: Setup) -> dict[str, Gate | Slow | Probe]:
    """The gates that policies name, probes left out.

    Raises:
        ConfigError: one cannot be loaded; names the policy.
    """
    gates: dict[str, Gate | Slow | Probe] = {}
    for name, policy in setup.policies.items():
        wanted = policy.gate_names - PROBES.keys() - gates.keys()
        try:
            gates.update(load_gates(wanted))
        except ConfigError as error:
            raise ConfigError(
                error.message, field=f"policies.{name}.gates", remedy=error.remedy
            ) from error
    return gates


def guardrails_of(config: Config, setup: Setup, counts: Counts | None = None) -> Rules | None:
    """What looks at requests and answers; None if nothing does.

    Args:
        counts: what was counted before.

    Raises:
        ConfigError: a guardrail cannot be built; names its field.
    """
    if not config.guardrails:
        return None
    # Imported only here: most gateways have none.
    from tierwise.guardrails import Rules
    from tierwise.guardrails.build import rule_of

    rules = {name: rule_of(name, one) for name, one in config.guardrails.items()}
    always = [rule for name, rule in rules.items() if config.guardrails[name].always]
    named = {name: policy.guardrails for name, policy in setup.policies.items()}
    policies = {name: [rules[one] for one in wanted] for name, wanted in named.items()}
    # Of all policies' names of them as well: who looks at what is a change, too.
    written = repr((config.guardrails, sorted(named.items())))
    return Rules(always, policies, counts, sha256(written.encode()).hexdigest())


def cache_of(config: Config, before: Cache | None = None) -> Cache | None:
    """Where answers are kept to be given again; None where no policy wants that.

    Args:
        before: the one whose place it takes; what lies there is kept.
    """
    own = config.cache
    modes: dict[str, Mode] = {"": own.mode}
    modes |= {name: p.cache for name, p in config.policies.items() if p.cache is not None}
    if not set(modes.values()) - {"off"}:
        return None
    most = int(own.max_mb * 1024 * 1024)
    store = before.store if before is not None else InProcess(most)
    similar = None
    if "semantic" in modes.values():
        # Imported only here: it needs numpy.
        from tierwise.cache.similar import Similars

        known = before.similar if before is not None else None
        similar = Similars(
            store,
            own.similarity,
            ttl_s=own.ttl_s,
            before=known if isinstance(known, Similars) else None,
        )
    return Cache(
        store,
        modes,
        ttl_s=own.ttl_s,
        most_bytes=int(own.max_answer_mb * 1024 * 1024),
        now=time.time,
        similar=similar,
    )
