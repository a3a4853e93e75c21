"""What these tests stand on."""

from fixtures.storage import storage

__all__ = ["storage"]
