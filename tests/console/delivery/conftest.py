"""One server for each file of tests."""

from fixtures.delivery_pages import admin, native, stranger, viewer
from fixtures.receiver import receiver

__all__ = ["admin", "native", "receiver", "stranger", "viewer"]
