"""What happened, what it cost, what it saved: the append-only record of every request."""

from tierwise.ledger.asides import EMBEDDINGS, Aside, PassedGroup, Told
from tierwise.ledger.examples import Labelled, labelled
from tierwise.ledger.feedback import Feedback, read_feedback
from tierwise.ledger.gate_figures import GateFigures, TierFigures
from tierwise.ledger.ledger import Ledger
from tierwise.ledger.rating import rate, with_feedback
from tierwise.ledger.report import DeploymentGroup, Group, Period, Report, report
from tierwise.ledger.since import parse_since

__all__ = [
    "EMBEDDINGS",
    "Aside",
    "DeploymentGroup",
    "Feedback",
    "GateFigures",
    "Group",
    "Labelled",
    "Ledger",
    "PassedGroup",
    "Period",
    "Report",
    "TierFigures",
    "Told",
    "labelled",
    "parse_since",
    "rate",
    "read_feedback",
    "report",
    "with_feedback",
]
