"""Two replicas with a real Redis and a real PostgreSQL, under load, while one after the other is
killed: does what clients were told agree with the ledger and with the budgets, to the cent?"""

from tierwise.chaos.replicas.figures import PartFigures, ReplicasResult
from tierwise.chaos.replicas.run import NAMES, ReplicasOptions, run

__all__ = ["NAMES", "PartFigures", "ReplicasOptions", "ReplicasResult", "run"]
