"""Turns arriving changelog rows into versions, given the stored versions of their keys (`fold.py` has the rules)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from airtally.accounts.accounts import Account
from airtally.ingest.at_once import AtOnce
from airtally.ingest.changelog_locks import ChangelogLocks
from airtally.ingest.fold import Places, fold
from airtally.kit import metrics
from airtally.kit.fair import aside
from airtally.kit.keyed_locks import KeyedLocks
from airtally.kit.time import to_datetime
from airtally.streams.declaration import Kind, Stream

#: From stream, account's slug and keys: all stored versions of the keys (`stream.row_schema`), in any order.
VersionsOf = Callable[[Stream, str, pa.Table], pa.Table]

#: Smaller batches are folded: looking up their keys first would take longer.
MANY_ROWS = 2_000


class ChangelogVersions:
    """Resolves batches of changelog rows: one batch of an account's stream at a time, until it is in the buffer.

    Rows whose versions depend on no other row, which are most of a large load, are resolved all at once (`at_once`). For
    the others it reads the versions of their keys and goes row by row. Thread-safe by `ChangelogLocks`.
    """

    def __init__(self, versions_of: VersionsOf, at_once: AtOnce | None = None, *, many_rows: int = MANY_ROWS) -> None:
        self._versions_of = versions_of
        self._many_rows = many_rows
        self._at_once = at_once
        self._turns: KeyedLocks[tuple[str, str], ChangelogLocks] = KeyedLocks(ChangelogLocks)

    def turns(self, stream: Stream, account: Account) -> ChangelogLocks:
        """The lock to be held by whoever adds versions of an account's stream."""
        return self._turns.of((stream.name, account.slug))

    @contextmanager
    def resolved(self, stream: Stream, account: Account, rows: pa.Table, now_us: int) -> Any:
        """Yields the versions to append. Append them within the block: other batches wait for its end."""
        if stream.kind is not Kind.CHANGELOG or rows.num_rows == 0:
            yield rows
            return
        with self._turn(stream, account):
            yield self._resolve(stream, account.slug, rows, to_datetime(now_us // 1000 * 1000))

    @contextmanager
    def _turn(self, stream: Stream, account: Account) -> Iterator[None]:
        """Hold the lock of a batch, giving up the slot while waiting for it."""
        with ExitStack() as turn:
            with aside():
                turn.enter_context(self.turns(stream, account).of_batch())
            yield

    def _resolve(self, stream: Stream, account: str, rows: pa.Table, arrived: datetime) -> pa.Table:
        found = None
        if self._at_once is not None and rows.num_rows >= self._many_rows:
            found = self._at_once.sort(stream, account, rows, arrived)
        if found is None:
            return self._folded(stream, account, rows, arrived)[0]
        metrics.VERSIONS_AT_ONCE.labels(stream.name).inc(found.versions.num_rows)
        if not found.careful.any():
            return found.versions
        later, kept = self._folded(stream, account, found.rows.filter(found.careful), arrived)
        places = np.concatenate([np.flatnonzero(~found.careful), np.flatnonzero(found.careful)[kept]])
        return pa.concat_tables([found.versions, later]).take(np.argsort(places))

    def _folded(self, stream: Stream, account: str, rows: pa.Table, arrived: datetime) -> tuple[pa.Table, Places]:
        metrics.VERSIONS_FOLDED.labels(stream.name).inc(rows.num_rows)
        keys = rows.select(list(stream.key)).group_by(list(stream.key)).aggregate([])
        with aside():
            stored = self._versions_of(stream, account, keys)
        return fold(stream, rows, stored, arrived)
