"""Fixtures of the storage tests."""

from fixtures.storage import storage

__all__ = ["storage"]
