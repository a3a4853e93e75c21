"""What workers note of exports: what they are made from, their parts and their ends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, bindparam, delete, func, select, update

from airtally.accounts.accounts import ACCOUNT_COLUMNS, Account
from airtally.database.rows import AnyRow, values_of
from airtally.database.store import MetadataStore
from airtally.database.tables import accounts, export_parts, exports
from airtally.exports.endings import ExportEndings, select_exports
from airtally.exports.export import Export, ExportLimits, ExportState
from airtally.exports.lanes import LanePoint
from airtally.jobs.queue import Job, Jobs
from airtally.jobs.worker import GivenUp
from airtally.kit.clock import Clock
from airtally.kit.time import DAY_US

#: Parts of one export.
MAX_PARTS = 10_000

_PLACE = (export_parts.c.lane, export_parts.c.place)


@dataclass(frozen=True, slots=True)
class NotedPart:
    """A stored part of an export under way. `then` is where its lane goes on, None where it cannot go on there."""

    lane: int
    place: int
    stored_name: str
    rows: int
    bytes: int
    sha256: str
    then: LanePoint | None

    @classmethod
    def from_row(cls, row: AnyRow) -> NotedPart:
        values = values_of(row, export_parts.c)
        unit, skip = values.pop("next_unit"), values.pop("next_skip")
        point = None if unit is None else LanePoint(unit, skip)
        return cls(**{name: values[name] for name in cls.__slots__ if name != "then"}, then=point)

    def values(self, export_id: int) -> dict[str, Any]:
        found = {name: getattr(self, name) for name in self.__slots__ if name != "then"}
        unit, skip = (None, None) if self.then is None else (self.then.unit, self.then.skip)
        return found | {"export_id": export_id, "next_unit": unit, "next_skip": skip}


class ExportLedger:
    """Thread-safe: every call is a transaction. What is noted for a job is fenced by its lease."""

    def __init__(
        self, store: MetadataStore, clock: Clock, jobs: Jobs, endings: ExportEndings, limits: ExportLimits
    ) -> None:
        self._store = store
        self._clock = clock
        self._jobs = jobs
        self._endings = endings
        self.limits = limits

    def of_job(self, job: Job) -> tuple[Account, Export]:
        """The export that a job is to make."""
        query = select_with_account().where(exports.c.id == int(job.subject))
        with self._store.read() as connection:
            row = connection.execute(query).one()
        return Account.from_row(row), Export.from_row(row, self._clock.now_us())

    def pin(self, export: Export) -> str | None:
        """The stored name of what an earlier attempt has pinned."""
        query = select(exports.c.pin).where(exports.c.id == export.id)
        with self._store.read() as connection:
            name: str | None = connection.execute(query).scalar_one()
            return name

    def parts(self, export: Export) -> list[NotedPart]:
        """The parts that are noted, lane by lane in their order."""
        query = select(*export_parts.c).where(export_parts.c.export_id == export.id).order_by(*_PLACE)
        with self._store.read() as connection:
            return [NotedPart.from_row(row) for row in connection.execute(query)]

    def note_pinned(self, job: Job, export: Export, pin: str | None, data_through_us: int) -> None:
        """The export begins, without any part: it will have all rows received by then. Raises LeaseLost."""
        begun = func.coalesce(exports.c.started_at, self._clock.now_us())
        values = {"pin": pin, "started_at": begun, "data_through": data_through_us, "parts": 0, "rows": 0, "bytes": 0}
        with self._store.begin() as connection:
            self._jobs.progress_within(connection, job, 0)
            connection.execute(delete(export_parts).where(export_parts.c.export_id == export.id))
            connection.execute(update(exports).where(exports.c.id == export.id).values(values))

    def forget_pin(self, job: Job, export: Export) -> None:
        """Let the next attempt begin anew, where what was pinned is gone. Raises LeaseLost."""
        with self._store.begin() as connection:
            self._jobs.progress_within(connection, job, 0)
            connection.execute(update(exports).where(exports.c.id == export.id).values(pin=None))

    def note_parts(self, job: Job, export: Export, parts: Sequence[NotedPart], done: int, total: int) -> None:
        """Finished parts, already stored, and the progress in rows read. Raises LeaseLost; then none is noted."""
        with self._store.begin() as connection:
            self._jobs.progress_within(connection, job, done, total)
            if parts:
                connection.execute(export_parts.insert(), [each.values(export.id) for each in parts])
                connection.execute(update(exports).where(exports.c.id == export.id).values(_added(parts)))

    def drop_parts(self, job: Job, export: Export, parts: Iterable[NotedPart]) -> None:
        """Forget parts behind which no lane can go on. Raises LeaseLost."""
        dropped = list(parts)
        mine = export_parts.c.export_id == export.id
        with self._store.begin() as connection:
            self._jobs.renew_within(connection, job)
            for each in dropped:
                one = (export_parts.c.lane == each.lane, export_parts.c.place == each.place)
                connection.execute(delete(export_parts).where(mine, *one))
            connection.execute(update(exports).where(exports.c.id == export.id).values(_added(dropped, -1)))

    def check_room(self, account: Account, export: Export) -> None:
        """Raises GivenUp where the account's files have more bytes than it may keep, or the export too many parts."""
        kept = (exports.c.account_id == account.id, exports.c.files_deleted_at.is_(None))
        total = select(func.coalesce(func.sum(exports.c.bytes), 0)).where(*kept)
        with self._store.read() as connection:
            kept_bytes = connection.execute(total).scalar_one()
            parts = connection.execute(select(exports.c.parts).where(exports.c.id == export.id)).scalar_one()
        if kept_bytes > self.limits.kept_bytes:
            most = self.limits.kept_bytes
            raise GivenUp(f"The account's exports would have more than {most} bytes of files (AIRTALLY_EXPORTS_MAX)")
        if parts > MAX_PARTS:
            raise GivenUp(f"It would have more than {MAX_PARTS} parts: ask for larger ones")

    def succeed(self, export: Export, job: Job) -> None:
        """Number the parts and end export and job; every part is stored and noted. Raises LeaseLost."""
        now = self._clock.now_us()
        expires_at = now + self.limits.days * DAY_US
        mine = export_parts.c.export_id == export.id
        numbered = update(export_parts).where(mine, *(each == bindparam(f"of_{each.name}") for each in _PLACE))
        with self._store.begin() as connection:
            self._jobs.finish(connection, job)
            places = connection.execute(select(*_PLACE).where(mine).order_by(*_PLACE)).all()
            numbers = [{"of_lane": lane, "of_place": at, "number": n} for n, (lane, at) in enumerate(places, 1)]
            if numbers:
                connection.execute(numbered.values(number=bindparam("number")), numbers)
            done = self._endings.end(
                connection, (exports.c.id == export.id,), ExportState.DONE, now, expires_at=expires_at
            )
        self._endings.tell(done)

    def fail(self, export: Export, job: Job, reason: str) -> None:
        """End export and job as failed, with the reason in words for a person. Raises LeaseLost."""
        now, mine = self._clock.now_us(), (exports.c.id == export.id,)
        with self._store.begin() as connection:
            self._jobs.fail(connection, job, reason)
            failed = self._endings.end(connection, mine, ExportState.FAILED, now, error=reason)
        self._endings.tell(failed)


def select_with_account() -> Select[Any]:
    """Each export with its job and its account."""
    return select_exports(*ACCOUNT_COLUMNS).join(accounts, accounts.c.id == exports.c.account_id)


def _added(parts: Sequence[NotedPart], sign: int = 1) -> dict[str, Any]:
    return {
        "parts": exports.c.parts + sign * len(parts),
        "rows": exports.c.rows + sign * sum(each.rows for each in parts),
        "bytes": exports.c.bytes + sign * sum(each.bytes for each in parts),
    }
