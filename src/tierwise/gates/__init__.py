"""Quality gates: is this answer good enough? One file each."""

from tierwise.gates.base import Early, Gate, Prepares, Slow, load_gates

__all__ = ["Early", "Gate", "Prepares", "Slow", "load_gates"]
