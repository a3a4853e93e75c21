"""Delta tables, one a stream: append, snapshot, compact, expire."""

from airtally.storage.lake.lake import Lake
from airtally.storage.lake.table import LakeTable
from airtally.storage.lake.table_version import TableVersion

__all__ = ["Lake", "LakeTable", "TableVersion"]
