"""ASGI: public endpoints, keys, metrics."""
