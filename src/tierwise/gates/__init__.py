"""Quality gates: is this answer good enough? One file each."""

from tierwise.gates.base import Gate, load_gates

__all__ = ["Gate", "load_gates"]
