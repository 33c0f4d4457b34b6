"""Quality gates: is this answer good enough? One file each."""

from tierwise.gates.base import Early, Gate, Prepares, load_gates

__all__ = ["Early", "Gate", "Prepares", "load_gates"]
