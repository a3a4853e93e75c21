"""Decoding of request bodies and files into checked rows."""

from __future__ import annotations

from airtally.ingest.checked import Checked, RowSource
from airtally.ingest.decode.bodies import SMALL, UnpackedBody
from airtally.ingest.decode.body import MEDIA_TYPES, is_read_by_piece, read_rows
from airtally.ingest.decode.files import FILE_TYPES, read_file
from airtally.ingest.decode.limits import LIMITS, DecodeLimits
from airtally.ingest.decode.unpack import unpack, unpacked
from airtally.ingest.row_errors import RowError

__all__ = [
    "FILE_TYPES",
    "LIMITS",
    "MEDIA_TYPES",
    "SMALL",
    "Checked",
    "DecodeLimits",
    "RowError",
    "RowSource",
    "UnpackedBody",
    "is_read_by_piece",
    "read_file",
    "read_rows",
    "unpack",
    "unpacked",
]
