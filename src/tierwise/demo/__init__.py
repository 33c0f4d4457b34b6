"""The whole system at work: fleet, gateway and a workload over HTTP, with a provider killed."""

from tierwise.demo.result import Result
from tierwise.demo.run import Options, run

__all__ = ["Options", "Result", "run"]
