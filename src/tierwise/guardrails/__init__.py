"""What may not go to a model, nor come from one: found, and noted, masked or refused."""

from tierwise.guardrails.guard import Guard
from tierwise.guardrails.rules import Rules

__all__ = ["Guard", "Rules"]
