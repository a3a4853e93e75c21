"""Fixtures of the lake's tests."""

from fixtures.logs import filled
from fixtures.storage import storage

__all__ = ["filled", "storage"]
