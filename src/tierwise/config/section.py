"""What all sections of `tierwise.yaml` have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Unknown fields are mistakes, and what is read stays as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)
