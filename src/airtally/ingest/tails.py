"""The last line (or CSV record) of what was loaded of a file, which may be continued when the file grows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from airtally.ingest.canonical import NONE
from airtally.ingest.contents import Beginning, position_of
from airtally.ingest.decode.csv_records import OPEN_QUOTE
from airtally.ingest.decode.limits import LIMITS
from airtally.ingest.decode.text import TextFile
from airtally.ingest.marks import LastLine
from airtally.ingest.row_errors import Errors, RowError

TOO_SOON = "the beginning of this line was loaded as a row before its end was written"


def tail_of(path: Path, end: Beginning, errors: Sequence[RowError]) -> tuple[LastLine, int, int] | None:
    """State, position and number of a chunk's last line, None if it is complete. `errors` are the chunk's, by line."""
    last = end.line - 1 if end.ends_a_line else end.line
    opened = _open_quote(errors, last)
    if opened is not None:
        return LastLine.OPEN_QUOTE, position_of(path, opened), opened
    if end.ends_a_line:
        return None
    refused = end.blank or any(error.line == last for error in errors[-1:])
    return (LastLine.REFUSED if refused else LastLine.TAKEN), end.line_at, last


def _open_quote(errors: Sequence[RowError], last: int) -> int | None:
    """The first line with an open quote among the refused lines at the end of a chunk."""
    if not isinstance(errors, Errors):
        return None
    opened = errors.lines_that_end_with(OPEN_QUOTE, last)
    return int(opened[0]) if len(opened) else None


def completed_line(path: Path, line_at: int) -> tuple[RowError, int]:
    """The error of a line that was loaded before its end was written, and the position of the next line."""
    with TextFile.of(path) as text:
        text.skip(line_at)
        number = text.line
        raw = text.lines(1, LIMITS.line_max).rstrip(b"\r\n")
        return RowError(number, None, TOO_SOON, raw[: LIMITS.line_max], NONE), text.position
