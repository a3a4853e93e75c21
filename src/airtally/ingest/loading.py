"""Checked rows straight into the lake, exactly once: what files and re-sent rows have in common."""

from __future__ import annotations

from dataclasses import dataclass

from airtally.accounts.accounts import Account
from airtally.ingest.checked import Checked
from airtally.ingest.quarantine import Quarantine
from airtally.ingest.versions import Versions
from airtally.ingest.warehouse import Warehouse
from airtally.kit import metrics
from airtally.kit.clock import Clock
from airtally.streams.declaration import Stream


@dataclass(frozen=True, slots=True)
class Load:
    """Some rows on their way. `app_id` and the rising `version` name them in the lake's log."""

    stream: Stream
    account: Account
    app_id: str
    version: int
    source: str


class Loading:
    """Quarantines what is wrong and commits the rest; done twice, it is done once."""

    def __init__(self, *, warehouse: Warehouse, quarantine: Quarantine, versions: Versions, clock: Clock) -> None:
        self._warehouse = warehouse
        self._quarantine = quarantine
        self._versions = versions
        self._clock = clock

    def append(self, load: Load, checked: Checked) -> None:
        stream, account = load.stream, load.account
        self._quarantine.keep(
            account, stream.name, checked.errors, source=load.source, source_key=f"{load.app_id}:{load.version}"
        )
        with self._versions.resolved(stream, account, checked.rows, self._clock.now_us()) as rows:
            if rows.num_rows:
                self._warehouse.append_file_rows(stream, account.slug, rows, load.app_id, load.version)
        metrics.ROWS_ACCEPTED.labels(stream.name).inc(checked.rows.num_rows)
