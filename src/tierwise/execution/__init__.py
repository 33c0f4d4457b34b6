"""Call, check, escalate, fail over, stream: Plan -> Answer."""

from tierwise.execution.executor import Executor, Streamed, Whole
from tierwise.execution.relay import Relay
from tierwise.execution.run import Run

__all__ = ["Executor", "Relay", "Run", "Streamed", "Whole"]
