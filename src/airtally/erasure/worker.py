"""The job of an erasure: waits for all writers, erases store by store, and at the end sees that the files are gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import structlog

from airtally.accounts.accounts import Account
from airtally.database.store import MetadataStore
from airtally.erasure.acknowledgements import Acknowledgements
from airtally.erasure.erasures import JOB_KIND, Erasures
from airtally.erasure.journal import StepJournal
from airtally.erasure.lake_rows import LakeRows
from airtally.erasure.leftovers import Leftovers
from airtally.erasure.records import Erasure, ErasureKind, ErasureState
from airtally.erasure.rollup_days import RollupDays
from airtally.erasure.store_protocol import Check, ErasableStore, PersonStore
from airtally.jobs.lease import KeptLease
from airtally.jobs.leased_table import LeaseLost
from airtally.jobs.queue import Job, Jobs
from airtally.jobs.retry_policy import RetryPolicy
from airtally.jobs.worker import Worker, WorkerOptions
from airtally.kit.clock import Clock
from airtally.kit.errors import Unavailable
from airtally.kit.faults import NO_FAULTS, Faults
from airtally.kit.time import HOUR_US, SECOND_US
from airtally.storage.lake.upkeep import VACUUM_HOURS

_log = structlog.get_logger()

#: An erasure is tried until it is done, whatever stands in its way.
RETRY = RetryPolicy(waits=(2, 2, 5, 10, 20, 40, 60, 120, 300))
#: The files that held the rows go when readers of a day ago are done with them, and a little later.
FILES_US = VACUUM_HOURS * HOUR_US + 60 * SECOND_US


class NotYet(Unavailable):
    """Something else must happen first; the job looks again later."""


class ErasureWorker(Worker):
    """`stores` of a person, and `account_stores` of an account, are erased in their order."""

    name: ClassVar[str] = "erasures"
    kinds: ClassVar[tuple[str, ...]] = (JOB_KIND,)
    thing: ClassVar[str] = "erasure"
    doing: ClassVar[str] = "This erasure"
    retry: ClassVar[RetryPolicy] = RETRY

    def __init__(
        self,
        erasures: Erasures,
        jobs: Jobs,
        store: MetadataStore,
        clock: Clock,
        *,
        acknowledgements: Acknowledgements,
        lake_rows: LakeRows,
        stores: Sequence[PersonStore],
        account_stores: Sequence[ErasableStore],
        rollup_days: RollupDays,
        leftovers: Leftovers,
        options: WorkerOptions | None = None,
        faults: Faults = NO_FAULTS,
    ) -> None:
        super().__init__(jobs, clock, options or WorkerOptions(workers=1))
        self._erasures = erasures
        self._store = store
        self._acknowledgements = acknowledgements
        self._lake_rows = lake_rows
        self._stores: Mapping[ErasureKind, Sequence[ErasableStore]] = {
            ErasureKind.PERSON: stores,
            ErasureKind.ACCOUNT: account_stores,
        }
        self._rollup_days = rollup_days
        self._leftovers = leftovers
        self._faults = faults

    def work(self, job: Job, lease: KeptLease) -> None:
        """Go on from the state that the last attempt left. Raises NotYet."""
        erasure, account = self._erasures.of_job(job)
        if erasure.state is ErasureState.WAITING:
            self._begin(erasure, account)
            erasure, account = self._erasures.of_job(job)
        if erasure.state is ErasureState.ERASING:
            self._erase(job, erasure, account, lambda: self.check(lease))
        elif erasure.state is ErasureState.ERASED:
            self._finish(job, erasure, account, lambda: self.check(lease))

    def run_now(self, erasure_id: int) -> None:
        """One attempt on this thread, due or not; nothing where another worker is at it."""
        job = self._jobs.take(JOB_KIND, str(erasure_id), self._options.lease_seconds)
        if job is None:
            return
        try:
            self._attempt(job)
        except LeaseLost:
            return

    def give_up(self, job: Job, reason: str) -> None:
        raise NotImplementedError  # an erasure is never given up

    def _begin(self, erasure: Erasure, account: Account) -> None:
        """Wait for the writers, and find the person's devices before anything is erased."""
        self._acknowledgements.step()
        behind = self._acknowledgements.behind(erasure)
        if behind.hosts:
            self._erasures.note_waiting(erasure, behind.hosts)
            raise NotYet(f"The writers on {', '.join(behind.hosts)} have not moved their rows into the lake")
        through = self._acknowledgements.now_us() if behind.through_us is None else behind.through_us
        person = self._erasures.person(erasure)
        if person is not None:
            person = self._lake_rows.linked(account, person, through)
        self._erasures.begin(erasure, person, through)

    def _erase(self, job: Job, erasure: Erasure, account: Account, check: Check) -> None:
        task = self._erasures.task(erasure, account)
        journal = StepJournal(self._store, self._clock, task)
        for store in self._stores[erasure.kind]:
            check()
            self._faults.reach("erasure.store")
            store.erase(task, journal, check)
        check()
        self._faults.reach("erasure.erased")
        self._erasures.note_erased(job, erasure, self._clock.now_us() + FILES_US)
        _log.info("erased", erasure=erasure.id, account=account.slug, kind=erasure.kind)

    def _finish(self, job: Job, erasure: Erasure, account: Account, check: Check) -> None:
        """Raises NotYet while readers may still need the files that held the rows."""
        task = self._erasures.task(erasure, account)
        journal = StepJournal(self._store, self._clock, task)
        if erasure.kind is ErasureKind.PERSON:
            self._rollup_days.erase(task, journal, check)  # what was stale then is built by now
        left = self._leftovers.removed(journal)
        if left:
            raise NotYet(f"{len(left)} files that held the rows are still kept for running jobs, such as {left[0]}")
        self._erasures.note_done(job, erasure)
        self._store.scrub()

    def _trouble(self, job: Job, error: Exception) -> None:
        """Whatever it is, the erasure is tried again, and says what stands in its way."""
        reason = self._reason(error)
        wait = self.retry.wait_at((self._clock.now_us() - job.created_at) / SECOND_US)
        if not isinstance(error, NotYet):
            _log.error("erasure put off", erasure=job.subject, seconds=wait, exc_info=error)
        self._erasures.note_error(int(job.subject), reason)
        self._jobs.put_off(job, wait, reason)
