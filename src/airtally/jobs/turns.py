"""Whose job is next: accounts take turns, and whoever was served longest ago is first."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CTE, BigInteger, Connection, Select, Text, bindparam, exists, func, or_, select

from airtally.database.store import MetadataStore
from airtally.database.tables import job_turns, jobs
from airtally.jobs.states import JobState

#: Classes of PostgreSQL's advisory locks; the second number is of the kind or the account.
_CLAIMS, _ADDS = 0x61746A63, 0x61746A61

_KIND, _OWNER = bindparam("kind", type_=Text), bindparam("owner", type_=Text)
_NOW, _EACH = bindparam("now", type_=BigInteger), bindparam("each", type_=BigInteger)


def lock_claims(connection: Connection, kind: str) -> None:
    """Let one process at a time look whose turn it is, until the transaction ends. SQLite has one writer anyway."""
    _lock(connection, _CLAIMS, func.hashtext(kind))


def lock_adds(connection: Connection, account_id: int) -> None:
    """Let one transaction at a time add jobs to an account, so that they can be counted."""
    _lock(connection, _ADDS, account_id % (1 << 31))


def _lock(connection: Connection, of: int, what: Any) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(of, what)))


def _next_job() -> Select[tuple[int, int]]:
    """Id and account of the job to take now; no row where there is none.

    Of the accounts with a due job it is the one with the fewest jobs under way in the process `owner`, then the one
    that was served longest ago; of its jobs the one due first. An account has at most `each` under way in a process,
    and one alone beside another account's. The cost is a few looks into an index for each account with waiting jobs,
    however many jobs these are.
    """
    account, own = _waiting_accounts().c.account_id, _under_way("under_way")
    turn = (job_turns.c.kind == _KIND) & (job_turns.c.account_id == account)
    every = _under_way("all_under_way")
    total = select(func.coalesce(func.sum(every.c.count), 0)).scalar_subquery()
    mine = func.coalesce(own.c.count, 0)
    found = (
        select(
            account.label("account_id"),
            _due().where(jobs.c.account_id == account).scalar_subquery().label("id"),
            mine.label("own"),
            func.coalesce(job_turns.c.turn, 0).label("turn"),
        )
        .select_from(account.table.outerjoin(own, own.c.account_id == account).outerjoin(job_turns, turn))
        .where(or_(mine == 0, (total == mine) & (mine < _EACH)))
    )
    each_of = found.subquery("found").c
    return (
        select(each_of.id, each_of.account_id)
        .where(each_of.id.is_not(None))
        .order_by(each_of.own, each_of.turn, each_of.id)
        .limit(1)
    )


def _under_way(name: str) -> CTE:
    """How many jobs each account has under way in the process."""
    held = (jobs.c.kind == _KIND, jobs.c.state == JobState.RUNNING, jobs.c.lease_owner == _OWNER)
    counted = select(jobs.c.account_id, func.count().label("count")).where(*held, jobs.c.account_id.is_not(None))
    return counted.group_by(jobs.c.account_id).cte(name)


def serve(store: MetadataStore, connection: Connection, kind: str, account_id: int) -> None:
    """Note that the account had its turn; turns are counted, so that no clock matters."""
    last = select(func.coalesce(func.max(job_turns.c.turn), 0) + 1).where(job_turns.c.kind == kind).scalar_subquery()
    row = store.upserts.insert(job_turns).values(kind=kind, account_id=account_id, turn=last)
    connection.execute(
        row.on_conflict_do_update(index_elements=["kind", "account_id"], set_={"turn": row.excluded.turn})
    )


def _waiting_accounts() -> CTE:
    """Every account with a ready job, due or not, by one look into the index each; the last row is null."""
    least = select(func.min(jobs.c.account_id)).where(jobs.c.kind == _KIND, jobs.c.state == JobState.READY)
    first = select(least.scalar_subquery().label("account_id")).cte("waiting", recursive=True)
    following = least.where(jobs.c.account_id > first.c.account_id).scalar_subquery()
    return first.union_all(select(following).where(first.c.account_id.is_not(None)))


def _due() -> Select[tuple[int]]:
    due = (jobs.c.kind == _KIND, jobs.c.state == JobState.READY, jobs.c.run_at <= _NOW)
    return select(jobs.c.id).where(*due).order_by(jobs.c.run_at, jobs.c.id).limit(1)


def _any_work() -> Select[tuple[bool]]:
    lost = exists().where(jobs.c.kind == _KIND, jobs.c.state == JobState.RUNNING, jobs.c.lease_until <= _NOW)
    account = _waiting_accounts().c.account_id
    due = _due().where(jobs.c.account_id == account).scalar_subquery()
    of_nobody = _due().where(jobs.c.account_id.is_(None)).scalar_subquery()
    return select(or_(lost, select(account).where(due.is_not(None)).exists(), of_nobody.is_not(None)))


#: Made once: to make the first of them takes longer than to run it.
NEXT_JOB = _next_job()
#: The same for jobs that belong to no account: the one due first.
NEXT_OF_NOBODY = _due().where(jobs.c.account_id.is_(None))
#: Whether a job is due, or was left by its worker.
ANY_WORK = _any_work()
