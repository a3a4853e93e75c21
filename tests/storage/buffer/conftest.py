"""Fixtures of the buffer's tests."""

from fixtures.damage import dead
from fixtures.storage import storage

__all__ = ["dead", "storage"]
