"""What these tests stand on."""

from fixtures.logs import filled
from fixtures.storage import storage

__all__ = ["filled", "storage"]
