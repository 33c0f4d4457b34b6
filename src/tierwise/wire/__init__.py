"""The public API dialects, read and written."""
