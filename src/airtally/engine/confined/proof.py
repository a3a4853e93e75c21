"""Whether a Parquet file has rows of one account alone, by the statistics in its own footer.

The lake's log has bounds of the account too; the footer is what lies in the file that will be read, so that a wrong
entry of the log shows no row of another account.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from airtally.streams.declaration import ACCOUNT


def is_of_account_alone(source: pa.NativeFile, account: str) -> bool:
    """Raises ArrowInvalid for what is no Parquet file."""
    footer = pq.read_metadata(source)
    position = next((n for n in range(footer.num_columns) if footer.schema.column(n).path == ACCOUNT.name), None)
    if position is None:
        return False
    groups = (footer.row_group(number) for number in range(footer.num_row_groups))
    return all(_is_alone(group.column(position).statistics, account) for group in groups)


def _is_alone(statistics: Any, account: str) -> bool:
    if statistics is None or not statistics.has_min_max or not statistics.has_null_count:
        return False
    return bool(statistics.null_count == 0 and statistics.min == statistics.max == account)
