"""The versions of the distribution, and of the shape of what it publishes."""

__version__ = "0.1.0"
SCHEMA_VERSION = "2.0"
"""The first number changes where a reader of the published tables must change something, the second where something was
added. See `docs/published-schema.md`."""
