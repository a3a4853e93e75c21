"""Erasures in the metadata store: requested, listed, and taken through their states by the job that does them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, func, insert, select, update

from airtally.accounts.accounts import ACCOUNT_COLUMNS, Account
from airtally.accounts.acting import current_actor
from airtally.accounts.audit import note_change
from airtally.accounts.secrets import Secrets
from airtally.database.store import MetadataStore
from airtally.database.tables import accounts, erasure_steps, erasures
from airtally.erasure.person import Person, hashed_id
from airtally.erasure.records import (
    ERASURE_COLUMNS,
    STEP_COLUMNS,
    Erasure,
    ErasureFinding,
    ErasureKind,
    ErasureState,
    ErasureTask,
    StepState,
)
from airtally.jobs.queue import Job, Jobs
from airtally.kit.clock import Clock
from airtally.kit.errors import Conflict, NotFound

JOB_KIND = "erasure"
#: An account may have so many that are not done: each reads all tables that may hold a person's rows.
MOST_UNDONE = 100
_CONTEXT = "erasure"


class Erasures:
    """Thread-safe: each change is one transaction."""

    def __init__(self, store: MetadataStore, clock: Clock, jobs: Jobs, secrets: Secrets) -> None:
        self._store = store
        self._clock = clock
        self._jobs = jobs
        self._secrets = secrets

    def request(self, account: Account, person: Person) -> Erasure:
        """Store a request with its job.

        Raises Conflict where the account has too many that are not done.
        """
        undone = erasures.c.account_id == account.id, erasures.c.state != ErasureState.DONE
        with self._store.begin() as connection:
            if connection.execute(select(func.count()).where(*undone)).scalar_one() >= MOST_UNDONE:
                raise Conflict(f"{MOST_UNDONE} erasures of this account are not done yet")
            return self.add(connection, account, ErasureKind.PERSON, person)

    def add(
        self,
        connection: Connection,
        account: Account,
        kind: ErasureKind,
        person: Person | None,
    ) -> Erasure:
        """As `request`, of a person or an account, inside the caller's transaction."""
        now = self._clock.now_us()
        values = {
            "account_id": account.id,
            "kind": kind,
            "state": ErasureState.WAITING,
            "subject": None if person is None else self._secrets.seal(person.to_json(), _CONTEXT),
            "hashes": self.hashes(person),
            "requested_by": str(current_actor()),
            "waiting_for": "[]",
            "created_at": now,
        }
        row = connection.execute(insert(erasures).values(values).returning(*ERASURE_COLUMNS)).one()
        self._jobs.add(connection, JOB_KIND, str(row.id), account.id)
        kinds = sorted(person.ids) if person is not None else []
        note_change(connection, now, "erasure.create", f"erasure {row.id}", account_id=account.id, of=kind, by=kinds)
        return Erasure.from_row(row)

    def hashes(self, person: Person | None) -> str:
        """Keyed hashes of a person's ids, by kind, as JSON."""
        found: dict[str, list[str]] = {}
        for kind, value in () if person is None else person.all():
            found.setdefault(kind, []).append(hashed_id(self._secrets, kind, value))
        return msgspec.json.encode(found).decode()

    def get(self, account: Account, erasure_id: int) -> Erasure:
        """Raises NotFound for one that is not the account's."""
        query = select(*ERASURE_COLUMNS).where(erasures.c.id == erasure_id, erasures.c.account_id == account.id)
        with self._store.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise NotFound(f"There is no erasure {erasure_id}", hint="`airtally erase list` shows them")
        return Erasure.from_row(row)

    def page(self, account: Account, *, after: int | None = None, limit: int = 100) -> list[Erasure]:
        """The account's, newest first; those before the id `after`."""
        query = select(*ERASURE_COLUMNS).where(erasures.c.account_id == account.id).order_by(erasures.c.id.desc())
        if after is not None:
            query = query.where(erasures.c.id < after)
        with self._store.read() as connection:
            return [Erasure.from_row(row) for row in connection.execute(query.limit(limit))]

    def findings(self, erasure: Erasure) -> list[ErasureFinding]:
        """What was found and erased so far, one for each part of a store: the days of a stream are added up."""
        query = (
            select(*STEP_COLUMNS)
            .where(erasure_steps.c.erasure_id == erasure.id, erasure_steps.c.state == StepState.DONE)
            .order_by(erasure_steps.c.id)
        )
        with self._store.read() as connection:
            return added_up(ErasureFinding.from_row(row) for row in connection.execute(query))

    def of_job(self, job: Job) -> tuple[Erasure, Account]:
        """The erasure of a job, with its account."""
        with self._store.read() as connection:
            row = connection.execute(select(*ERASURE_COLUMNS).where(erasures.c.id == int(job.subject))).one()
            owner = connection.execute(select(*ACCOUNT_COLUMNS).where(accounts.c.id == row.account_id)).one()
        return Erasure.from_row(row), Account.from_row(owner)

    def person(self, erasure: Erasure) -> Person | None:
        """The person of an erasure that is not done; None where an account is deleted."""
        query = select(erasures.c.subject).where(erasures.c.id == erasure.id)
        with self._store.read() as connection:
            sealed = connection.execute(query).scalar_one()
        return None if sealed is None else Person.from_json(self._secrets.unseal(sealed, _CONTEXT))

    def task(self, erasure: Erasure, account: Account) -> ErasureTask:
        """What is to be done for an erasure whose `through` is known."""
        return ErasureTask(erasure, account, erasure.through or 0, self.person(erasure))

    def note_waiting(self, erasure: Erasure, hosts: Sequence[str]) -> None:
        """Note whose rows are not in the lake yet."""
        self._change(erasure, waiting_for=msgspec.json.encode(list(hosts)).decode())

    def note_error(self, erasure_id: int, error: str | None) -> None:
        """Note why a try failed; None once one did not."""
        with self._store.begin() as connection:
            connection.execute(update(erasures).where(erasures.c.id == erasure_id).values(error=error))

    def begin(self, erasure: Erasure, person: Person | None, through_us: int) -> None:
        """All writers have moved their rows: from now on the ids of `person` are erased, as received by a moment.

        Of an account, all but a stub counts as deleted from now on.
        """
        subject = None if person is None else self._secrets.seal(person.to_json(), _CONTEXT)
        values = {"through": through_us, "subject": subject, "hashes": self.hashes(person), "waiting_for": "[]"}
        with self._store.begin() as connection:
            self._set(connection, erasure, state=ErasureState.ERASING, **values)
            if erasure.kind is ErasureKind.ACCOUNT:
                stub = {"deleted_at": self._clock.now_us(), "name": ""}
                connection.execute(update(accounts).where(accounts.c.id == erasure.account_id).values(stub))

    def note_erased(self, job: Job, erasure: Erasure, run_at: int) -> None:
        """The rows are in no answer; the job runs once more when the files that held them may go. Raises LeaseLost."""
        now = self._clock.now_us()
        with self._store.begin() as connection:
            self._set(connection, erasure, state=ErasureState.ERASED, erased_at=now, error=None)
            self._jobs.again(connection, job, run_at)

    def note_done(self, job: Job, erasure: Erasure) -> None:
        """Forget the person's ids but for their hashes, and end the job. Raises LeaseLost."""
        now = self._clock.now_us()
        with self._store.begin() as connection:
            self._set(connection, erasure, state=ErasureState.DONE, done_at=now, subject=None, error=None)
            self._jobs.finish(connection, job)

    def _change(self, erasure: Erasure, **values: Any) -> None:
        with self._store.begin() as connection:
            self._set(connection, erasure, **values)

    def _set(self, connection: Connection, erasure: Erasure, **values: Any) -> None:
        connection.execute(update(erasures).where(erasures.c.id == erasure.id).values(values))


def added_up(findings: Iterable[ErasureFinding]) -> list[ErasureFinding]:
    """One finding for each part of a store; the day behind a stream's name is left out. The last `remains` counts."""
    found: dict[tuple[str, str], ErasureFinding] = {}
    for each in findings:
        part = each.part.partition("/")[0]
        before = found.get((each.store, part), ErasureFinding(each.store, part, 0, 0))
        found[each.store, part] = ErasureFinding(
            each.store, part, before.found + each.found, before.erased + each.erased, each.remains, each.why
        )
    return list(found.values())
