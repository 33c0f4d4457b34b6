"""What all sections of `tierwise.yaml` have in common."""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

Fraction = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Usd = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Section(BaseModel):
    """Unknown fields are mistakes, and what is read stays as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _numbers_are_written_as_such(cls, value: Any, info: ValidationInfo) -> Any:
        # Python's truth values are numbers, so that `rpm: true` would be one request a minute.
        wanted = cls.model_fields[info.field_name or ""].annotation
        if isinstance(value, bool) and _is_number(wanted):
            raise ValueError("a truth value is no number")
        return value


def _is_number(wanted: Any) -> bool:
    """Whether a field of this type is for a number, or for none, and not for a truth value."""
    kinds = {
        get_args(kind)[0] if get_origin(kind) is Annotated else kind
        for kind in (get_args(wanted) if get_origin(wanted) in (Union, UnionType) else (wanted,))
    }
    return bool(kinds & {int, float}) and bool not in kinds
