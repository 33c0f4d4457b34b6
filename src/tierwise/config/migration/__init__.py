"""Configurations of other gateways as Tierwise has them."""
