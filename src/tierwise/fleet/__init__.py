"""Real HTTP servers that act like model providers, to measure and to break things on."""

from tierwise.fleet.client import FleetControl
from tierwise.fleet.faults import Faults
from tierwise.fleet.fleet import POLICIES, Fleet
from tierwise.fleet.provider import Provider
from tierwise.fleet.source import WorkItem, answer_text

__all__ = ["POLICIES", "Faults", "Fleet", "FleetControl", "Provider", "WorkItem", "answer_text"]
