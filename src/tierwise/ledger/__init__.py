"""What happened, what it cost, what it saved: the append-only record of every request."""

from tierwise.ledger.feedback import Feedback, read_feedback
from tierwise.ledger.ledger import Ledger
from tierwise.ledger.rating import rate
from tierwise.ledger.report import DeploymentGroup, Group, Period, Report, report
from tierwise.ledger.since import parse_since

__all__ = [
    "DeploymentGroup",
    "Feedback",
    "Group",
    "Ledger",
    "Period",
    "Report",
    "parse_since",
    "rate",
    "read_feedback",
    "report",
]
