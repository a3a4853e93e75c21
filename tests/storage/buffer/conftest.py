"""What these tests stand on."""

from fixtures.damage import dead
from fixtures.storage import storage

__all__ = ["dead", "storage"]
