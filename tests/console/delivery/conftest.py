"""One server for all tests of the folder."""

from fixtures.delivery_pages import admin, all_builds, builds, native, stranger, viewer
from fixtures.receiver import receiver

__all__ = ["admin", "all_builds", "builds", "native", "receiver", "stranger", "viewer"]
