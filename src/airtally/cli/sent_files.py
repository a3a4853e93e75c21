"""What `airtally ingest` does with `--url`: sends files in batches, each of which counts once however often it is sent."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from airtally.cli.file_batches import batches_of, key_of
from airtally.cli.server import ApiServer, failures_of_calls
from airtally.client.batches import EncodedRows
from airtally.client.sent import Rejection, SendResult
from airtally.ingest.files import FileResult

#: Refused rows of a file that are printed.
_SHOWN = 10


def send_file(
    api: ApiServer, stream: str, path: Path, *, again: bool, progress: Callable[[FileResult], object]
) -> FileResult:
    """Returns once the server has all rows on its disk. Raises CallFailed, BadRequest for its content, and OSError.

    Batches that an earlier run sent within a week are answered as then, and store nothing. `again` sends them as new rows.
    """

    def tell(sent: SendResult) -> None:
        progress(_as_file_result(path, sent))

    key = f"again:{uuid4().hex}" if again else key_of(stream, path)
    with failures_of_calls():
        sent = api.client.send(stream, EncodedRows(batches_of(path)), key=key, compression="zstd", on_batch=tell)
    show_rejections(path, sent.rejections, sent.rejected)
    return _as_file_result(path, sent)


def show_rejections(path: Path, rejections: list[Rejection], rejected: int) -> None:
    """The first refused rows, on standard error, with where they are: lines of text, rows of a table."""
    for each in rejections[:_SHOWN]:
        field = f"{each.field}: " if each.field else ""
        print(f"airtally: {path.name}:{each.index + 1}: {field}{each.error}", file=sys.stderr)
    if rejected > _SHOWN:
        print(f"airtally: {path.name}: {rejected - _SHOWN:,} more rows were refused", file=sys.stderr)


def _as_file_result(path: Path, sent: SendResult) -> FileResult:
    kept = sent.rejected if sent.quarantined else sum(each.quarantined for each in sent.rejections)
    return FileResult(path, sent.accepted, sent.rejected, kept, sent.rows)
