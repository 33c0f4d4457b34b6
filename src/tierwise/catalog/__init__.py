"""What each model can do and costs.

`Catalog.builtin()` knows some two hundred models well and the prices of about two thousand; a
configuration adds to it with `with_models`. `cost` turns tokens into USD.
"""

from tierwise.catalog.catalog import Catalog
from tierwise.catalog.cost import TieredPrices, cost, reference_cost
from tierwise.catalog.override import ModelOverride

__all__ = ["Catalog", "ModelOverride", "TieredPrices", "cost", "reference_cost"]
