"""Counts the devices with each value of a tag, into a file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec

from airtally.accounts.accounts import Account
from airtally.accounts.declared import ValueType
from airtally.files.store import FileStore
from airtally.query.holders import Holders, holder_lines
from airtally.query.lines import RenderedLines
from airtally.query.service import Queries
from airtally.statistics.asked import TagStatistics


class WrittenFile(msgspec.Struct, frozen=True):
    """Lines, size and hash of a statistic's file."""

    rows: int
    bytes: int
    sha256: str


def count_tags(
    queries: Queries, account: Account, asked: TagStatistics, files: FileStore, name: str
) -> tuple[bytes, int]:
    """Write the file; returns a `WrittenFile` as JSON, and the moment through which its figures are complete.

    docs/vendors/pushwoosh.md#6.
    """
    wanted = Holders(
        account=account.slug,
        tag=asked.tag,
        applications=asked.applications,
        shared=asked.shared,
        listed=asked.type is ValueType.LIST,
        decimal=asked.type is ValueType.PRICE,
    )
    lines, data_through = holder_lines(queries, wanted)
    measured = _MeasuredLines(lines)
    files.write(name, measured)
    return msgspec.json.encode(measured.written), data_through


class _MeasuredLines:
    """Passes lines on and counts and hashes them."""

    def __init__(self, lines: Iterator[RenderedLines]) -> None:
        self._lines = lines
        self._rows = self._bytes = 0
        self._sha256 = hashlib.sha256()

    def __iter__(self) -> Iterator[bytes]:
        for some in self._lines:
            self._rows += some.rows
            self._bytes += len(some.data)
            self._sha256.update(some.data)
            yield bytes(some.data)

    @property
    def written(self) -> WrittenFile:
        return WrittenFile(self._rows, self._bytes, self._sha256.hexdigest())
