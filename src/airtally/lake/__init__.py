"""Delta tables, one a stream: append, snapshot, compact, expire."""

from airtally.lake.lake import Lake
from airtally.lake.table import LakeTable
from airtally.lake.view import LakeView

__all__ = ["Lake", "LakeTable", "LakeView"]
