"""Commits checked rows directly to the lake, exactly once: shared by file loads and resent rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from airtally.accounts.accounts import Account
from airtally.ingest.checked import Checked
from airtally.ingest.quarantine import Quarantine
from airtally.ingest.versions import ChangelogVersions
from airtally.kit import metrics
from airtally.kit.clock import Clock
from airtally.storage.store import EventStore
from airtally.streams.declaration import Stream


@dataclass(frozen=True, slots=True)
class Load:
    """Where rows come from and go to. `app_id` and the ascending `version` identify them in the lake's log; see
    `EventStore.append_file_rows`.
    """

    stream: Stream
    account: Account
    app_id: str
    version: int
    source: str
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Appended:
    """Counts: rows that were new to the stream, and refused rows that are in quarantine."""

    rows: int
    quarantined: int


class Loading:
    """Quarantines wrong rows and commits the others. Repeating a load changes nothing."""

    def __init__(
        self, *, event_store: EventStore, quarantine: Quarantine, versions: ChangelogVersions, clock: Clock
    ) -> None:
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
            if count:
                self._event_store.append_file_rows(stream, account.slug, rows, load.app_id, load.version, load.after)
        metrics.ROWS_ACCEPTED.labels(stream.name).inc(checked.rows.num_rows)
        return Appended(count, kept.rows)
