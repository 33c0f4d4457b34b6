"""What a policy's lists leave of the configured models: settled once, not for every request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from tierwise.routing import exclude
from tierwise.routing.expressed import Unsaid
from tierwise.types import Deployment, Model, Policy


class Permitted(Struct, frozen=True):
    """A model under a policy: at the prices of the places that may serve it.

    `seen_at` is the id of the deployment whose pace counts; `why` says in words that none may serve
    it, None where one may.
    """

    model: Model
    seen_at: str = ""
    why: str | None = None


def permitted_models(
    policy: Policy,
    models: Mapping[str, Model],
    deployments: Mapping[str, Sequence[Deployment]],
) -> tuple[Permitted, ...]:
    """Every model as the policy's allow and deny lists and regions leave it, in their order."""
    return tuple(_permitted(policy, model, deployments[name]) for name, model in models.items())


def _permitted(policy: Policy, model: Model, group: Sequence[Deployment]) -> Permitted:
    why = exclude.by_policy(policy, model, group)
    if why is not None:
        return Permitted(model, why=why)
    permitted = exclude.permitted_deployments(policy, group)
    return _served_at(model, permitted, len(group))


def narrowed(
    one: Permitted, policy: Policy, group: Sequence[Deployment], unsaid: Unsaid
) -> Permitted:
    """The same for one request, with only the places that it can be put to in their words."""
    permitted = exclude.permitted_deployments(policy, group)
    why = unsaid.why(permitted)
    if why is not None:
        return Permitted(one.model, why=why)
    places = unsaid.places(permitted)
    return one if len(places) == len(permitted) else _served_at(one.model, places, len(group))


def _served_at(model: Model, permitted: Sequence[Deployment], of: int) -> Permitted:
    if len(permitted) < of:
        # A place that may not be asked lends neither its price nor its pace.
        prices = min((d.prices for d in permitted), key=lambda p: p.input + p.output)
        model = replace(model, prices=prices)
    return Permitted(model, permitted[0].id)
