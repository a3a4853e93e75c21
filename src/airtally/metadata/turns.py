"""Whose job is next: accounts take turns, and whoever was served longest ago is first."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CTE, Connection, ScalarSelect, Select, func, or_, select

from airtally.metadata.store import MetadataStore
from airtally.metadata.tables import job_turns, jobs

#: Classes of PostgreSQL's advisory locks; the second number is of the kind or the account.
_CLAIMS, _ADDS = 0x61746A63, 0x61746A61


def lock_claims(connection: Connection, kind: str) -> None:
    """Let one process at a time look whose turn it is, until the transaction ends. SQLite has one writer anyway."""
    _lock(connection, _CLAIMS, func.hashtext(kind))


def lock_adds(connection: Connection, account_id: int) -> None:
    """Let one transaction at a time add jobs to an account, so that they can be counted."""
    _lock(connection, _ADDS, account_id % (1 << 31))


def _lock(connection: Connection, of: int, what: Any) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(of, what)))


def next_job(kind: str, owner: str, now: int, each: int) -> Select[tuple[int, int]]:
    """Id and account of the job to take now; no row where there is none.

    Of the accounts with a due job it is the one with the fewest jobs under way in the process `owner`, then the one
    that was served longest ago; of its jobs the one due first. An account has at most `each` under way in a process,
    and one alone beside another account's. The cost is a few looks into an index for each account with waiting jobs,
    however many jobs these are.
    """
    account = _waiting_accounts(kind).c.account_id
    under_way = select(func.count()).where(
        jobs.c.kind == kind, jobs.c.state == "running", jobs.c.lease_owner == owner, jobs.c.account_id.is_not(None)
    )
    served = select(job_turns.c.turn).where(job_turns.c.kind == kind, job_turns.c.account_id == account)
    found = select(
        account.label("account_id"),
        _first_due(kind, account, now).label("id"),
        under_way.where(jobs.c.account_id == account).scalar_subquery().label("own"),
        under_way.where(jobs.c.account_id != account).scalar_subquery().label("others"),
        func.coalesce(served.scalar_subquery(), 0).label("turn"),
    ).where(account.is_not(None))
    each_of = found.subquery("found").c
    may = or_(each_of.own == 0, (each_of.others == 0) & (each_of.own < each))
    return (
        select(each_of.id, each_of.account_id)
        .where(each_of.id.is_not(None), may)
        .order_by(each_of.own, each_of.turn, each_of.id)
        .limit(1)
    )


def next_of_nobody(kind: str, now: int) -> Select[tuple[int]]:
    """The same for jobs that belong to no account: the one due first."""
    return _due(kind, now).where(jobs.c.account_id.is_(None))


def serve(store: MetadataStore, connection: Connection, kind: str, account_id: int) -> None:
    """Note that the account had its turn; turns are counted, so that no clock matters."""
    last = select(func.coalesce(func.max(job_turns.c.turn), 0) + 1).where(job_turns.c.kind == kind).scalar_subquery()
    row = store.upserts.insert(job_turns).values(kind=kind, account_id=account_id, turn=last)
    connection.execute(
        row.on_conflict_do_update(index_elements=["kind", "account_id"], set_={"turn": row.excluded.turn})
    )


def _waiting_accounts(kind: str) -> CTE:
    """Every account with a ready job, due or not, by one look into the index each; the last row is null."""
    least = select(func.min(jobs.c.account_id)).where(jobs.c.kind == kind, jobs.c.state == "ready")
    first = select(least.scalar_subquery().label("account_id")).cte("waiting", recursive=True)
    following = least.where(jobs.c.account_id > first.c.account_id).scalar_subquery()
    return first.union_all(select(following).where(first.c.account_id.is_not(None)))


def _first_due(kind: str, account: Any, now: int) -> ScalarSelect[int]:
    return _due(kind, now).where(jobs.c.account_id == account).scalar_subquery()


def _due(kind: str, now: int) -> Select[tuple[int]]:
    due = (jobs.c.kind == kind, jobs.c.state == "ready", jobs.c.run_at <= now)
    return select(jobs.c.id).where(*due).order_by(jobs.c.run_at, jobs.c.id).limit(1)
