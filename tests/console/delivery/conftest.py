"""One server for all tests of the folder."""

from fixtures.delivery_pages import admin, native, stranger, viewer
from fixtures.receiver import receiver

__all__ = ["admin", "native", "receiver", "stranger", "viewer"]
