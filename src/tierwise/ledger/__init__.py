"""What happened, what it cost, what it saved: the append-only record of every request."""

from tierwise.ledger.ledger import Ledger
from tierwise.ledger.report import DeploymentGroup, Group, Period, Report, report
from tierwise.ledger.since import parse_since

__all__ = [
    "DeploymentGroup",
    "Group",
    "Ledger",
    "Period",
    "Report",
    "parse_since",
    "report",
]
