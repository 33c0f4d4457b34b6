"""Outages on purpose: the fleet fails in many ways, and clients tell what they saw."""

from tierwise.chaos.figures import Result, ScenarioFigures
from tierwise.chaos.run import Options, run
from tierwise.chaos.scenarios import NAMES

__all__ = ["NAMES", "Options", "Result", "ScenarioFigures", "run"]
