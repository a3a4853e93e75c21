"""Bodies and files to checked rows."""

from __future__ import annotations

from airtally.ingest.checked import Checked, Source
from airtally.ingest.decode.bodies import SMALL, Body
from airtally.ingest.decode.body import MEDIA_TYPES, is_read_by_piece, read_rows
from airtally.ingest.decode.files import FILE_TYPES, read_file
from airtally.ingest.decode.limits import LIMITS, Limits
from airtally.ingest.decode.unpack import unpack, unpacked
from airtally.ingest.row_errors import RowError

__all__ = [
    "FILE_TYPES",
    "LIMITS",
    "MEDIA_TYPES",
    "SMALL",
    "Body",
    "Checked",
    "Limits",
    "RowError",
    "Source",
    "is_read_by_piece",
    "read_file",
    "read_rows",
    "unpack",
    "unpacked",
]
