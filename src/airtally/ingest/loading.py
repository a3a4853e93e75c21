"""Commits checked rows directly to the lake, exactly once: shared by file loads and resent rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from airtally.accounts.accounts import Account
from airtally.ingest.checked import Checked
from airtally.ingest.quarantine import Quarantine, QuarantineReceipt
from airtally.ingest.versions import ChangelogVersions
from airtally.kit import metrics
from airtally.kit.clock import Clock
from airtally.storage.store import EventStore
from airtally.streams.declaration import Stream
from airtally.usage.figures import UsageFigures
from airtally.usage.loads import CountedLoad, LoadLedger


@dataclass(frozen=True, slots=True)
class Load:
    """Where rows come from and go to. `app_id` and the ascending `version` identify them in the lake's log; see
    `EventStore.append_file_rows`. `size`: bytes of the rows as they came.
    """

    stream: Stream
    account: Account
    app_id: str
    version: int
    source: str
    after: int | None = None
    size: int = 0

    @property
    def counted(self) -> CountedLoad:
        return CountedLoad(self.stream, self.account, self.app_id, self.version, self.after)


@dataclass(frozen=True, slots=True)
class Appended:
    """Counts: rows that were new to the stream, and refused rows that are in quarantine."""

    rows: int
    quarantined: int


class Loading:
    """Quarantines wrong rows and commits the others. Repeating a load changes nothing."""

    def __init__(
        self,
        *,
        event_store: EventStore,
        quarantine: Quarantine,
        versions: ChangelogVersions,
        ledger: LoadLedger,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._event_store = event_store
        self._quarantine = quarantine
        self._versions = versions
        self._clock = clock

    def append(self, load: Load, checked: Checked, before_commit: Callable[[int], None] | None = None) -> Appended:
        """`before_commit` is called with the number of rows that are about to be committed."""
        stream, account = load.stream, load.account
        kept = self._quarantine.keep(
            account, stream.name, checked.errors, source=load.source, source_key=f"{load.app_id}:{load.version}"
        )
        with self._versions.resolved(stream, account, checked.rows, self._clock.now_us()) as rows:
            count = int(rows.num_rows)
            if before_commit is not None:
                before_commit(count)
            self._commit(load, rows, UsageFigures(checked.rows.num_rows, len(checked.errors), load.size), kept)
        metrics.ROWS_ACCEPTED.labels(stream.name).inc(checked.rows.num_rows)
        return Appended(count, kept.rows)

    def _commit(self, load: Load, rows: pa.Table, figures: UsageFigures, kept: QuarantineReceipt) -> None:
        """Commit the rows and count them; where there are none, count what was refused for the first time."""
        if rows.num_rows:
            self._ledger.note(load.counted, figures)
            self._event_store.append_file_rows(
                load.stream, load.account.slug, rows, load.app_id, load.version, load.after
            )
            self._ledger.count(load.counted)
        elif kept.id is not None:
            self._ledger.count_refused(load.counted, figures)
