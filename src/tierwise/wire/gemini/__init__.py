"""Google's Gemini dialect, for its clients and for the Gemini API and Vertex AI."""

from tierwise.wire.gemini.dialect import Gemini

GEMINI = Gemini()

__all__ = ["GEMINI", "Gemini"]
