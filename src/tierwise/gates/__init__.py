"""Quality gates: is this answer good enough? One file each."""

from tierwise.gates.base import Gate, Prepares, load_gates

__all__ = ["Gate", "Prepares", "load_gates"]
