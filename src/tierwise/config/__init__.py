"""One YAML file, checked once at the edge; inside, values are right by type."""

from tierwise.config.build import Setup, build
from tierwise.config.load import from_mapping, load, load_ledger
from tierwise.config.schema import Config

__all__ = ["Config", "Setup", "build", "from_mapping", "load", "load_ledger"]
