"""What may be asked for when something is made or changed; unset fields stay as they are."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from tierwise.accounts.types import Role
from tierwise.budget import Period, Scope
from tierwise.types import Priority

_UNSEEN = (
    r"\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    r"\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e007f"
)
"""Controls, marks of direction and others that show nothing, or turn round what stands beside them:
by them one name would look like another."""
_VISIBLE = rf"^[^{_UNSEEN}]+\Z"  # `$` would let a line break pass at the end
Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=_VISIBLE)]
Id = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+\Z")]
_NOT_VISIBLE = f"Expected `str` matching regex {_VISIBLE!r}"
Names = Annotated[tuple[Name, ...], Meta(max_length=200)]
Tags = Annotated[tuple[Name, ...], Meta(max_length=20)]
Usd = Annotated[float, Meta(ge=0, le=1e12)]
Rate = Annotated[float, Meta(gt=0, le=1e12)]
Calls = Annotated[int, Meta(gt=0, le=1_000_000)]
Moment = Annotated[float, Meta(ge=0, le=1e11)]


class NewOrganisation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An organisation that is to be."""

    name: Name


class OrganisationChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be otherwise with an organisation."""

    name: Name | UnsetType = UNSET


class NewTeam(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A team that is to be; in the caller's organisation unless another is named."""

    name: Name
    org: Id | None = None


class TeamChange(OrganisationChange, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be otherwise with a team."""


class NewUser(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A user who is to be."""

    name: Name
    role: Role = "member"
    team: Id | None = None
    org: Id | None = None


class UserChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be otherwise with a user."""

    name: Name | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    team: Id | UnsetType | None = UNSET


class NewKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key that is to be; see `types.Key`."""

    name: Name
    org: Id | None = None
    team: Id | None = None
    user: Id | None = None
    role: Role = "member"
    gateway: bool = False
    passthrough: bool = False
    models: Names = ()
    policies: Names = ()
    tags: Tags = ()
    priority: Priority | None = None
    rpm: Rate | None = None
    tpm: Rate | None = None
    concurrency: Calls | None = None
    expires_at: Moment | None = None


class KeyChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be otherwise with a key. Whose it is stays, as its spending does."""

    name: Name | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    gateway: bool | UnsetType = UNSET
    passthrough: bool | UnsetType = UNSET
    models: Names | UnsetType = UNSET
    policies: Names | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    priority: Priority | UnsetType | None = UNSET
    rpm: Rate | UnsetType | None = UNSET
    tpm: Rate | UnsetType | None = UNSET
    concurrency: Calls | UnsetType | None = UNSET
    expires_at: Moment | UnsetType | None = UNSET


class NewBudget(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A budget that is to be; `owner` is the id of whose spending it bounds."""

    scope: Scope
    owner: Id
    period: Period
    soft_usd: Usd | None = None
    hard_usd: Usd | None = None


class BudgetChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be otherwise with a budget."""

    soft_usd: Usd | UnsetType | None = UNSET
    hard_usd: Usd | UnsetType | None = UNSET


class Rotation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long the secrets of a key that are valid now stay so, in seconds; at most 30 days."""

    overlap_s: Annotated[float, Meta(ge=0, le=2_592_000)] = 0.0


def plainly(said: str) -> str:
    """What is wrong with a field, in words where it would be a pattern."""
    return said.replace(
        _NOT_VISIBLE,
        "it has characters that nobody sees, such as line breaks or marks of direction, by which a "
        "name can look like another; leave them out",
    )
