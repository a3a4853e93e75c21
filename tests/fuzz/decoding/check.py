"""What must be true of every body that the decoders are given: rows or a Failure, all of them counted, none of them wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa

from airtally.ingest.canonical import rows_as_checked
from airtally.ingest.checked import Checked
from airtally.ingest.decode import DecodeLimits, read_file, read_rows, unpack
from airtally.ingest.service import answer_of
from airtally.kit.errors import Failure
from airtally.streams import STREAMS
from fuzz.decoding.body import Body

#: Small, so that what ought to be refused for its size is seen to be.
UNPACKED_MAX = 16 << 20
_LIMITS = DecodeLimits(unpacked_max=UNPACKED_MAX)
_AGAIN_MOST = 40


class Fault(AssertionError):
    """Something that is not to happen, in words."""


def check(body: Body, folder: Path) -> str:
    """What came of it, for statistics. Raises Fault, or whatever the decoders should not have raised."""
    try:
        parts = _decoded(body, folder)
    except Failure as failure:
        if failure.status >= 500:
            raise Fault(f"{type(failure).__name__}: {failure.message}") from failure
        failure.message.encode()
        return f"refused {failure.status}"
    taken = sum(part.rows.num_rows for part in parts)
    refused = sum(len(part.errors) for part in parts)
    if body.rows is not None and taken + refused != body.rows:
        raise Fault(f"{body.rows} rows were sent, {taken} taken and {refused} refused")
    for part in parts:
        _check_part(body, part)
    return "rows" if refused == 0 else "some rows" if taken else "no row"


def _decoded(body: Body, folder: Path) -> list[Checked]:
    stream = STREAMS[body.stream]
    if body.is_file:
        path = folder / f"body{body.kind}"
        path.write_bytes(body.content)
        return [part for part, _ in read_file(stream, path, limits=_LIMITS)]
    content = unpack(body.content, body.encoding, unpacked_max=UNPACKED_MAX)
    return [read_rows(stream, content, body.kind, limits=_LIMITS)]


def _check_part(body: Body, part: Checked) -> None:
    stream = STREAMS[body.stream]
    if not part.rows.schema.equals(stream.row_schema):
        raise Fault(f"the rows' schema is {part.rows.schema}")
    part.rows.validate(full=True)
    json.loads(answer_of(part.rows.num_rows, part.errors, len(part.errors)))
    for error in part.errors:
        if error.line < 1 or not error.error:
            raise Fault(f"an error without its line or reason: {error}")
    if part.rows.num_rows <= _AGAIN_MOST:
        _check_again(body, part.rows)


def _check_again(body: Body, rows: pa.Table) -> None:
    """Rows that were taken, written as the quarantine writes them, are taken again as the same rows."""
    stream = STREAMS[body.stream]
    forms = rows_as_checked(stream, rows)
    again = read_rows(stream, b"\n".join(forms), "application/x-ndjson", limits=_LIMITS)
    if again.errors:
        raise Fault(f"a row that was taken is refused when it is read again: {again.errors[0]}")
    if not again.rows.equals(rows.combine_chunks()):
        raise Fault("rows that were taken are others when they are read again")
