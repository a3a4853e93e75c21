"""A destination for dlt (https://dlthub.com): each table of a pipeline is loaded into a stream, each row once.

`dlt.pipeline("plays", destination=airtally())`, with `url` and `token` in dlt's own settings. Needs `airtally[dlt]`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import dlt
import pyarrow as pa
import pyarrow.parquet as pq
from dlt.common.destination.exceptions import DestinationTerminalException, DestinationTransientException
from dlt.common.storages.load_package import ParsedLoadJobFileName

from airtally.client import AirtallyError, BatchSize, Client, RetryRules, SendResult
from airtally.client.errors import Again

log = logging.getLogger("airtally.dlt")

#: Columns of dlt's own, which no stream has.
_OWN = "_dlt_"
#: What becomes of a load job whose rows the stream refuses in part.
Refused = Literal["fail", "quarantine"]


class RowsRefused(DestinationTerminalException):  # type: ignore[misc]  # dlt may not be installed
    """The stream refused rows; the others are loaded. The load package fails, as another try would change nothing."""


def load_file(
    items: str,
    table: Mapping[str, Any],
    *,
    url: str = dlt.config.value,
    token: str = dlt.secrets.value,
    streams: dict[str, str] | None = None,
    refused: Refused = "fail",
    batch_rows: int = 50_000,
    patience: float = 300.0,
) -> None:
    """Send one file of a load package: `items` is its path.

    `streams` names the stream of each table whose name is another. `refused`: whether rows that a stream refuses fail
    the job, or are left to the server's quarantine. `patience` is in seconds.

    A batch's key is made of the load's id and the file's, which no retry and no later run changes, so that a file that
    was loaded in part, or wholly but not noted by dlt, is loaded once.
    """
    _check(table, refused)
    parsed = ParsedLoadJobFileName.parse(items)
    key = f"dlt/{dlt.current.load_package_state()['load_id']}/{parsed.file_id}"
    stream = (streams or {}).get(table["name"], table["name"])
    retry = RetryRules(patience=patience)
    try:
        with Client(url, token, retry=retry, user_agent=f"dlt/{dlt.__version__}") as client:
            sent = client.send(stream, rows_of(Path(items)), key=key, size=BatchSize(rows=batch_rows))
    except AirtallyError as error:
        raise _as_dlt_has_it(error, stream) from error
    if sent.rejected:
        _tell(sent, stream, refused)


def rows_of(path: Path) -> pa.RecordBatchReader:
    """The rows of a Parquet file, batch by batch, without the columns that dlt adds."""
    file = pq.ParquetFile(path)
    names = [name for name in file.schema_arrow.names if not name.startswith(_OWN)]
    schema = pa.schema([file.schema_arrow.field(name) for name in names])

    def batches() -> Iterator[pa.RecordBatch]:
        with file:
            yield from file.iter_batches(columns=names)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _check(table: Mapping[str, Any], refused: str) -> None:
    if table.get("write_disposition") == "replace":
        raise DestinationTerminalException(
            f"Table {table['name']} has the write disposition `replace`: a stream is never emptied. Use `append`, or "
            "`merge` for changelogs and for events with an id."
        )
    if refused not in {"fail", "quarantine"}:
        raise DestinationTerminalException(f"refused is `fail` or `quarantine`, not {refused!r}")


def _as_dlt_has_it(error: AirtallyError, stream: str) -> Exception:
    """What may pass leaves the job for the next run; anything else fails it."""
    words = f"stream {stream}: {error}"
    kind = DestinationTerminalException if error.again is Again.NO else DestinationTransientException
    failure: Exception = kind(words)
    return failure


def _tell(sent: SendResult, stream: str, refused: Refused) -> None:
    first = "; ".join(f"row {each.index}, {each.field or 'all of it'}: {each.error}" for each in sent.rejections[:3])
    words = f"stream {stream} refused {sent.rejected} of {sent.rows} rows, which are in its quarantine: {first}"
    if refused == "fail":
        raise RowsRefused(words)
    log.warning(words)


#: The destination. Arguments are those of `load_file` after `table`, given here or by dlt's settings
#: (`DESTINATION__AIRTALLY__URL`, `DESTINATION__AIRTALLY__TOKEN`). Files of one table are loaded in their order.
airtally = dlt.destination(
    load_file,
    name="airtally",
    batch_size=0,
    loader_file_format="parquet",
    naming_convention="direct",
    max_table_nesting=0,
    loader_parallelism_strategy="table-sequential",
)
