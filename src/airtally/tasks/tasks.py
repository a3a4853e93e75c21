"""Tasks in the metadata store: asked for, worked on under the lease of their job, listed, and expired."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, select, update

from airtally.accounts.acting import current_actor
from airtally.accounts.audit import note_change
from airtally.database.store import MetadataStore
from airtally.database.tables import tasks
from airtally.jobs.queue import Job, Jobs
from airtally.kit.clock import Clock
from airtally.kit.errors import NotFound, Unavailable
from airtally.kit.time import DAY_US
from airtally.tasks.task import Task, TaskResult, TaskState

KEPT_US = 90 * DAY_US
#: Tasks that one transaction deletes at most.
_EXPIRE_AT_ONCE = 1000
_TRIES = 10


@dataclass(frozen=True, slots=True)
class NewTask:
    """`action` and `subject` say what is to be done to what; `target` names that in the audit trail."""

    kind: str
    action: str
    subject: str
    target: str
    account_id: int | None = None

    @property
    def waits_as(self) -> str:
        return "/".join((str(self.account_id or 0), self.kind, self.action, self.subject))


class Tasks:
    """Thread-safe: each change is one transaction, and those of a worker name the attempt of its job."""

    def __init__(self, store: MetadataStore, clock: Clock, jobs: Jobs) -> None:
        self._store = store
        self._clock = clock
        self._jobs = jobs

    def request(self, new: NewTask) -> Task:
        """Add a task with its job. Asked for again before it has begun, it is the same task."""
        for _ in range(_TRIES):
            with self._store.begin() as connection:
                made = self._add(connection, new)
            found = made or self._one(tasks.c.waits_as == new.waits_as)
            if found is not None:
                return found  # else the one that waited has begun in between
        raise Unavailable("Tasks of this kind begin faster than they are asked for", retry_after=1)

    def get(self, kind: str, task_id: int, subject: str | None = None) -> Task:
        """Of this subject, if one is given. Raises NotFound."""
        found = self._one(tasks.c.kind == kind, tasks.c.id == task_id)
        if found is None or subject not in {None, found.subject}:
            raise NotFound(f"There is no task {task_id}")
        return found

    def page(self, kind: str, *, subject: str | None = None, after: int | None = None, limit: int = 100) -> list[Task]:
        """Newest first, from the one before the id `after`; of all subjects without `subject`."""
        where = [tasks.c.kind == kind]
        where += [] if subject is None else [tasks.c.subject == subject]
        where += [] if after is None else [tasks.c.id < after]
        query = select(tasks).where(*where).order_by(tasks.c.id.desc()).limit(limit)
        with self._store.read() as connection:
            return [Task.from_row(row) for row in connection.execute(query)]

    def begin(self, job: Job) -> Task:
        """The task of a job, which has begun: asked for again, it is another one. Raises LeaseLost."""
        changed = {"state": TaskState.RUNNING, "waits_as": None}
        with self._store.begin() as connection:
            self._jobs.renew_within(connection, job)
            return self._changed(connection, job, changed)

    def note_result(self, job: Job, result: TaskResult) -> None:
        """Add what one step did. Raises LeaseLost."""
        with self._store.begin() as connection:
            query = select(tasks.c.results).where(tasks.c.id == int(job.subject))
            results = msgspec.json.decode(connection.execute(query).scalar_one(), type=list[dict[str, Any]])
            results.append(dict(result))
            self._jobs.progress_within(connection, job, len(results))
            self._changed(connection, job, {"results": msgspec.json.encode(results).decode()})

    def finish(self, job: Job) -> None:
        """Raises LeaseLost."""
        with self._store.begin() as connection:
            self._jobs.finish(connection, job)
            self._changed(connection, job, {"state": TaskState.DONE, "ended_at": self._clock.now_us()})

    def fail(self, job: Job, reason: str) -> None:
        """Raises LeaseLost."""
        ended = {"state": TaskState.FAILED, "error": reason, "ended_at": self._clock.now_us(), "waits_as": None}
        with self._store.begin() as connection:
            self._jobs.fail(connection, job, reason)
            self._changed(connection, job, ended)

    def expire(self) -> None:
        """Delete tasks 90 days after they ended, with their jobs."""
        ended = tasks.c.ended_at < self._clock.now_us() - KEPT_US
        with self._store.begin() as connection:
            old = connection.execute(select(tasks.c.id, tasks.c.kind).where(ended).limit(_EXPIRE_AT_ONCE)).all()
            for row in old:
                self._jobs.forget(connection, row.kind, str(row.id))
            connection.execute(delete(tasks).where(tasks.c.id.in_([row.id for row in old])))

    def _add(self, connection: Connection, new: NewTask) -> Task | None:
        """None where the same task waits already."""
        now = self._clock.now_us()
        values = {
            "account_id": new.account_id,
            "kind": new.kind,
            "action": new.action,
            "subject": new.subject,
            "state": TaskState.WAITING,
            "waits_as": new.waits_as,
            "results": "[]",
            "requested_by": str(current_actor()),
            "created_at": now,
            "updated_at": now,
        }
        added = self._store.upserts.insert(tasks).values(values).on_conflict_do_nothing().returning(*tasks.c)
        row = connection.execute(added).one_or_none()
        if row is None:
            return None
        self._jobs.add(connection, new.kind, str(row.id), new.account_id)
        note_change(connection, now, f"{new.kind}.{new.action}", new.target, account_id=new.account_id)
        return Task.from_row(row)

    def _changed(self, connection: Connection, job: Job, values: dict[str, Any]) -> Task:
        changed = update(tasks).where(tasks.c.id == int(job.subject))
        changed = changed.values(values | {"updated_at": self._clock.now_us()})
        return Task.from_row(connection.execute(changed.returning(*tasks.c)).one())

    def _one(self, *where: Any) -> Task | None:
        with self._store.read() as connection:
            row = connection.execute(select(tasks).where(*where)).one_or_none()
        return None if row is None else Task.from_row(row)
