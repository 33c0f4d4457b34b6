"""Who should try, in what order, until how good? No I/O, clock and state passed in."""

from tierwise.routing.decide import Router
from tierwise.routing.predict import Predictor, PriorPredictor

__all__ = ["Predictor", "PriorPredictor", "Router"]
