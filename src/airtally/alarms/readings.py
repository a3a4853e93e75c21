"""Reads whether the conditions of alarms are true, from what is stored: rows, slots and quarantine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from airtally.accounts.accounts import Account
from airtally.alarms.alarm import Alarm, GrowingQuarantine, LateWork, SilentStream
from airtally.datasets.publication_store import PublicationStore
from airtally.ingest.quarantine import Quarantine
from airtally.kit.time import MINUTE_US, SECOND_US, to_datetime
from airtally.query.last_row import RowWatch
from airtally.schedules.late import LateSlots
from airtally.streams import STREAMS

#: Rows are looked for again so far before what was looked through, as clocks of hosts differ a little.
_OVERLAP_US = MINUTE_US
#: Where the rows of another host are not known up to so long ago, silence cannot be told.
_KNOWN_US = 5 * MINUTE_US
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class RowsSeen:
    """Of a silent stream: when its last row was received, and up to which moment, and which writers' rows, were seen."""

    last_row_at: int | None
    looked_through: int
    positions: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Reading:
    """What one check found. `true`: None where it cannot be told now.

    `begins_anew`: the condition was untrue since the last check, even if it is true now. `rows` is of a silent stream.
    """

    true: bool | None
    says: str
    begins_anew: bool = False
    rows: RowsSeen | None = None


@dataclass(frozen=True, slots=True)
class LateThing:
    """A slot due at `due_at` (microseconds UTC) that is not done. `of`: `schedule` or `publication`."""

    of: str
    id: str
    name: str
    due_at: int


class LateSource(Protocol):
    """Knows work that is done by the clock."""

    def late(self, account: Account, before_us: int, now_us: int) -> Sequence[LateThing]:
        """Slots of the account that were due before a moment and are not done, skipped or given up at `now_us`."""
        ...


class LateSchedules:
    """Slots of schedules, as a LateSource: late by the `late_minutes` of their schedule at the earliest."""

    def __init__(self, slots: LateSlots) -> None:
        self._slots = slots

    def late(self, account: Account, before_us: int, now_us: int) -> Sequence[LateThing]:
        return [
            LateThing("schedule", str(each.schedule_id), each.schedule_name, each.due_at)
            for each in self._slots.late(now_us, account_id=account.id)
            if each.due_at <= before_us
        ]


class LatePublications:
    """Publications of datasets, as a LateSource."""

    def __init__(self, publication_store: PublicationStore) -> None:
        self._publication_store = publication_store

    def late(self, account: Account, before_us: int, now_us: int) -> Sequence[LateThing]:  # noqa: ARG002 (of LateSource)
        return [
            LateThing("publication", each.subject.dataset.id, each.subject.dataset.name, each.due_at)
            for each in self._publication_store.late(before_us, account)
        ]


class Readings:
    """Thread-safe. `takes_rows` says whether a process of the server takes rows at this moment."""

    def __init__(
        self,
        rows: RowWatch,
        quarantine: Quarantine,
        late_sources: Sequence[LateSource],
        *,
        takes_rows: Callable[[], bool],
    ) -> None:
        self._rows = rows
        self._quarantine = quarantine
        self._late_sources = tuple(late_sources)
        self._takes_rows = takes_rows

    def of(self, alarm: Alarm, now: int) -> Reading:
        """Raises what the store or the engine raises; then the alarm is checked again later."""
        match alarm.condition:
            case SilentStream() as condition:
                return self._silent(alarm, condition, now)
            case LateWork() as condition:
                return self._late(alarm, condition, now)
            case GrowingQuarantine() as condition:
                return self._growing(alarm, condition, now)

    def _silent(self, alarm: Alarm, condition: SilentStream, now: int) -> Reading:
        looked = alarm.looked_through
        if looked is None or looked > now:  # the first check, or the clock was set back
            looked = now
        last = self._rows.after(STREAMS[condition.stream], alarm.account.slug, looked - _OVERLAP_US)
        through = min(last.through_us, now)
        last_row_at = alarm.last_row_at if last.received_us is None else min(last.received_us, now)
        seen = RowsSeen(last_row_at, through, last.positions)
        if alarm.positions is None or looked == now:
            return Reading(None, "Rows are looked for from now on", begins_anew=True, rows=seen)
        if last.is_newer_than(alarm.positions):
            says = f"The last row of {condition.stream} was received at {_minute(last_row_at or now)}"
            return Reading(True, says, begins_anew=True, rows=seen)
        if now - last.through_us > _KNOWN_US or not self._takes_rows():
            return Reading(None, "The server does not take rows", rows=seen)
        since = "yet" if last_row_at is None else f"since {_minute(last_row_at)}"
        return Reading(True, f"No row of {condition.stream} was received {since}", rows=seen)

    def _late(self, alarm: Alarm, condition: LateWork, now: int) -> Reading:
        before = now - condition.after_seconds * SECOND_US
        found = [each for source in self._late_sources for each in source.late(alarm.account, before, now)]
        found = [each for each in found if condition.of in {None, each.of} and condition.id in {None, each.id}]
        if not found:
            return Reading(False, "Nothing is late")
        named = [f"{each.of} {each.name} ({each.id}), due at {_minute(each.due_at)}" for each in found[:_MOST_NAMED]]
        more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
        return Reading(True, f"Late: {'; '.join(named)}{more}")

    def _growing(self, alarm: Alarm, condition: GrowingQuarantine, now: int) -> Reading:
        since = now - condition.within_seconds * SECOND_US
        rows = self._quarantine.rows_since(alarm.account, since, condition.stream)
        where = f" of {condition.stream}" if condition.stream else ""
        counted, were = ("1 row", "was") if rows == 1 else (f"{rows} rows", "were")
        says = f"{counted}{where} {were} refused since {_minute(since)}"
        return Reading(rows >= condition.rows, says)


def _minute(at_us: int) -> str:
    return f"{to_datetime(at_us):%Y-%m-%d %H:%M} UTC"
