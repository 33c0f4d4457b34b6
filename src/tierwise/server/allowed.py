"""What a key may be used for: models, policies, tenants' own records, and calls for operators."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from tierwise.config import Setup
from tierwise.errors import NotPermitted, UnknownModel
from tierwise.ledger import Aside
from tierwise.routing import Router
from tierwise.server.keys import Client
from tierwise.types import Record, Task

_SHOWN = 20


def check_task(task: Task, client: Client, setup: Setup, router: Router) -> None:
    """Whether a key may ask for the model or policy that a task names.

    Raises:
        NotPermitted: it may not. What else there is, is not said.
    """
    if task.policy is not None:
        _check_policy(task.policy, "x-tierwise-policy", client)
    elif task.model in setup.policies:
        _check_policy(task.model, "model", client)
    else:
        check_model(task.model, client, router)


def check_model(name: str, client: Client, router: Router) -> None:
    """Whether a key may ask for a model by this name, be it one at a provider's."""
    if not client.models or name in client.models:
        return
    try:
        found, _ = router.model_named(name)
    except UnknownModel:
        found = name  # whether there is such a model is not theirs to know
    if found not in client.models:
        raise _refused(name, "model", "models", client)


def check_embedding(name: str, client: Client) -> None:
    """The same of a model for embeddings, which may be `provider/model`."""
    if client.models and name not in client.models and name.partition("/")[2] not in client.models:
        raise _refused(name, "model", "models", client)


def check_passing(client: Client) -> None:
    """Whether a key may use what is passed through.

    Raises:
        NotPermitted: it may not.
    """
    if not client.passthrough:
        raise NotPermitted(
            "This key may not use what is passed through to a provider, since that is not "
            "separated by tenant, and bound by budgets only in part. Those who operate the gateway "
            "can give it `passthrough: true`.",
            param="authorization",
        )


def check_watching(client: Client) -> None:
    """Whether a key may see how the gateway as a whole is: of accounts, those that operate it.

    Raises:
        NotPermitted: it may not.
    """
    if client.accounted and not client.admin:
        raise NotPermitted(
            "How the gateway is, is shown to those who operate it. Use a key with `gateway: true`, "
            "or one of `server.api_keys`.",
            param="authorization",
        )


def may_see(record: Record | Aside, client: Client) -> bool:
    """Whether somebody may see how a request went, be it for an answer or for none.

    Without accounts everybody may. With them it is whoever operates the gateway, admins and viewers
    of the organisation, and members whose own it is.
    """
    if client.org is None or client.admin:
        return True
    if record.caller == client.name:
        return True
    owner = record.owner
    if owner is None or owner.org != client.org:
        return False
    if client.role != "member":
        return True
    own = client.owner
    return own is not None and own.user is not None and own.user == owner.user


def narrowed(setup: Setup, client: Client) -> Setup:
    """What is configured, as far as a key may use it; for lists of it."""
    return replace(
        setup,
        models={name: one for name, one in setup.models.items() if _lists(name, client.models)},
        policies={
            name: one for name, one in setup.policies.items() if _lists(name, client.policies)
        },
        embeddings={
            name: one for name, one in setup.embeddings.items() if _lists(name, client.models)
        },
    )


def _lists(name: str, allowed: Collection[str]) -> bool:
    return not allowed or name in allowed


def _check_policy(name: str, param: str, client: Client) -> None:
    if client.policies and name not in client.policies:
        raise _refused(name, param, "policies", client)


def _refused(name: str, param: str, what: str, client: Client) -> NotPermitted:
    allowed: Collection[str] = getattr(client, what)
    shown = sorted(allowed)[:_SHOWN]
    more = f" and {len(allowed) - len(shown)} more" if len(allowed) > len(shown) else ""
    return NotPermitted(
        f"`{param}` is {name[:200]!r}, which this key may not use. Of {what} it may use: "
        f"{', '.join(shown)}{more}.",
        param=param,
        code="model_not_permitted" if what == "models" else "policy_not_permitted",
    )
