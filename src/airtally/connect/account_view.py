"""What one account has of what clients need: read once for an answer, and bounded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pyarrow.compute as pc

from airtally.accounts.accounts import Account
from airtally.accounts.keys import Key
from airtally.kit.paging import SortKey
from airtally.kit.time import DAY_US, day_start_us, utc_day
from airtally.query.page import AnswerPage
from airtally.query.question import Dimension, Metric, Question
from airtally.query.record_pages import KeyRange
from airtally.services import Services
from airtally.storage.lake.snapshot import Snapshot
from airtally.streams.declaration import Stream

#: Things of one kind are counted up to here; an answer says that there are more.
MOST_COUNTED = 100
#: So many of them are named.
MOST_NAMED = 5
#: Newest days of files that are looked at: those of files that accounts share may have no row of the account.
_DAYS_TRIED = 8
_ROWS = "rows of the day"


@dataclass(frozen=True, slots=True)
class BusyDay:
    """The newest day that has rows, and what the rows are about, the most frequent first: values of some columns."""

    day: date
    subjects: tuple[tuple[Any, ...], ...]

    @property
    def week(self) -> tuple[date, date]:
        """The seven days that end with it, first and last."""
        return self.day - timedelta(days=6), self.day


class AccountView:
    """Reads for one answer about one account, and remembers what it has read. For one thread."""

    def __init__(self, services: Services, account: Account) -> None:
        self.services = services
        self.account = account
        self._records: dict[str, list[dict[str, Any]]] = {}
        self._stored: dict[str, int] = {}

    def records(self, stream: Stream) -> list[dict[str, Any]]:
        """Current records of a changelog in the order of their keys: at most one more than are counted."""
        if stream.name not in self._records:
            found = self.services.queries.key_page(KeyRange(stream), self.account.slug, MOST_COUNTED + 1)
            self._records[stream.name] = found.to_pylist()
        return self._records[stream.name]

    def stored(self, stream: Stream) -> int:
        """Stored rows, from the log of the stream's table."""
        if stream.name not in self._stored:
            self._stored[stream.name] = self.services.queries.freshness(stream, self.account.slug).stored.rows
        return self._stored[stream.name]

    def keys(self, *kinds: str) -> list[Key]:
        """Keys of these kinds that are in force, oldest first: at most one more than are counted."""
        return self.services.access.keys.in_force(self.account, kinds, limit=MOST_COUNTED + 1)

    def cdns(self) -> list[str]:
        """The account's CDN numbers, sorted as texts."""
        return self.services.access.owners.ids_of("cdn", self.account.id)

    def busy_day(self, stream: Stream, *names: str) -> BusyDay | None:
        """Of a stream of events; None without rows."""
        if not self.stored(stream):
            return None
        for day in _newest_days(self.services.queries.snapshot(stream, self.account.slug)):
            if subjects := self._subjects(stream, names, day):
                return BusyDay(day, subjects)
        return None

    def today(self) -> date:
        """In UTC."""
        return utc_day(self.services.clock.now_us())

    def _subjects(self, stream: Stream, names: Sequence[str], day: date) -> tuple[tuple[Any, ...], ...]:
        order = (SortKey(_ROWS, descending=True), *(SortKey(name) for name in names))
        start = day_start_us(day)
        question = Question(
            stream=stream,
            account=self.account.slug,
            metrics=(Metric(_ROWS),),
            dimensions=tuple(Dimension(name) for name in names),
            start_us=start,
            end_us=start + DAY_US,
            page=AnswerPage((*names, _ROWS), order, limit=MOST_COUNTED, last=True),
        )
        table = self.services.queries.answer(question).table
        return tuple(tuple(row[name] for name in names) for row in table.to_pylist() if row[_ROWS])


def _newest_days(snapshot: Snapshot) -> list[date]:
    """Days that may have rows, the newest first."""
    found = {date.fromisoformat(each.day) for each in (*snapshot.compacted, *snapshot.uncompacted) if each.day}
    name = snapshot.stream.time
    for table in snapshot.buffered:
        found |= _days_of(pc.unique(pc.cast(table[name], "date32")).to_pylist())
    return sorted(found, reverse=True)[:_DAYS_TRIED]


def _days_of(days: Iterable[date | None]) -> set[date]:
    return {day for day in days if day is not None}
