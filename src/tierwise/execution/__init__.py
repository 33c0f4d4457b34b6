"""Call, check, escalate, fail over, stream: Plan -> Answer."""

from tierwise.execution.calls import Calls, Streamed, Whole
from tierwise.execution.executor import Executor
from tierwise.execution.patience import Patience
from tierwise.execution.relay import Relay
from tierwise.execution.rooms import Rooms
from tierwise.execution.run import Run

__all__ = ["Calls", "Executor", "Patience", "Relay", "Rooms", "Run", "Streamed", "Whole"]
