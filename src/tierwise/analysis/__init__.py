"""What is asked? Task in, profile out; no I/O."""

from tierwise.analysis.profile import Measured, analyse, classify, measure

__all__ = ["Measured", "analyse", "classify", "measure"]
