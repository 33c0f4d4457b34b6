"""What all sections of `tierwise.yaml` have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Usd = Annotated[float, Field(ge=0)]


class Section(BaseModel):
    """Unknown fields are mistakes, and what is read stays as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)
