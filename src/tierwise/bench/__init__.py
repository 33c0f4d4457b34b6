"""The gateway's overhead, measured from outside against nginx as a plain proxy.

Both stand in front of the same static upstream and get the same requests from the same load
generator, in turns. What holds on a noisy machine is CPU time per request, so that is the figure;
its ratio to nginx's in the same run is what can be compared between machines.

Beside it, and without nginx: what holding streams back costs (`holding`), what judging an answer
costs (`gates`).
"""

from tierwise.bench.report import Result
from tierwise.bench.run import Options, run

__all__ = ["Options", "Result", "run"]
