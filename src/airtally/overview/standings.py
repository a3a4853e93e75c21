"""Counts what waits, fails or was refused, of one account or of many at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, or_, select

from airtally.alarms.alarm import AlarmState
from airtally.database.store import MetadataStore
from airtally.database.tables import (
    alarms,
    dataset_files,
    datasets,
    deliveries,
    jobs,
    message_deliveries,
    quarantine,
    webhook_endpoints,
)
from airtally.datasets.lateness import LATE_US
from airtally.datasets.publication_store import PublicationStore
from airtally.jobs.states import JobState
from airtally.kit.clock import Clock
from airtally.kit.time import DAY_US
from airtally.reports.outbox import DeliveryState
from airtally.webhooks.states import MessageState

#: What failed, was refused or was published longer ago is not counted.
SINCE_DAYS = 7

_Count = tuple[str, Select[int, int]]


@dataclass(frozen=True, slots=True)
class AccountStanding:
    """Figures of now, and of the last SINCE_DAYS days.

    `jobs_waiting` are due. `deliveries_failing`: messages that are tried again or were given up, and reports whose last
    notice was refused. `webhooks_disabled`: by the server, since nothing arrived. `last_published_at` in microseconds UTC.
    """

    jobs_running: int = 0
    jobs_waiting: int = 0
    jobs_failed: int = 0
    deliveries_failing: int = 0
    notices_failing: int = 0
    webhooks_disabled: int = 0
    alarms_firing: int = 0
    rows_refused: int = 0
    publications: int = 0
    publications_late: int = 0
    last_published_at: int | None = None


class Standings:
    """Thread-safe: every call reads in one transaction. `clock` is the one that all hosts share."""

    def __init__(self, store: MetadataStore, clock: Clock, publication_store: PublicationStore) -> None:
        self._store = store
        self._clock = clock
        self._publication_store = publication_store

    def of(self, accounts: Sequence[int]) -> dict[int, AccountStanding]:
        """By the accounts' ids: all of them, whether or not there is anything to count."""
        now = self._clock.now_us()
        found: Counter[tuple[int, str]] = Counter()
        with self._store.read() as connection:
            for name, query in _counts(accounts, now):
                for account, count in connection.execute(query):
                    found[account, name] += int(count or 0)
            published = _last_published(connection, accounts)
        for late in self._publication_store.late(now - LATE_US):
            found[late.subject.account.id, "publications_late"] += 1
        return {each: _standing(each, found, published) for each in accounts}


def _standing(account: int, found: Mapping[tuple[int, str], int], published: Mapping[int, int]) -> AccountStanding:
    names = (each.name for each in fields(AccountStanding) if each.name != "last_published_at")
    counts = {name: found.get((account, name), 0) for name in names}
    return AccountStanding(**counts, last_published_at=published.get(account))


def _counts(accounts: Sequence[int], now: int) -> Iterable[_Count]:
    """Queries of account and count, by the name of the figure."""
    since = now - SINCE_DAYS * DAY_US
    of = jobs.c.account_id
    yield "jobs_running", _counted(of, accounts, jobs.c.state == JobState.RUNNING)
    yield "jobs_waiting", _counted(of, accounts, jobs.c.state == JobState.READY, jobs.c.run_at <= now)
    yield "jobs_failed", _counted(of, accounts, jobs.c.state == JobState.FAILED, jobs.c.updated_at >= since)
    yield "deliveries_failing", _counted(message_deliveries.c.account_id, accounts, _failing_messages(since))
    yield "notices_failing", _failing_notices(accounts, since)
    disabled = webhook_endpoints.c.enabled.is_(False), webhook_endpoints.c.failing_since.is_not(None)
    yield "webhooks_disabled", _counted(webhook_endpoints.c.account_id, accounts, *disabled)
    yield "alarms_firing", _counted(alarms.c.account_id, accounts, alarms.c.state == AlarmState.FIRING)
    refused = quarantine.c.received_at >= since, quarantine.c.resent_at.is_(None)
    yield "rows_refused", _counted(quarantine.c.account_id, accounts, *refused, counted=func.sum(quarantine.c.rows))
    published = select(datasets.c.account_id, func.count()).join_from(dataset_files, datasets)
    recent = datasets.c.account_id.in_(accounts), dataset_files.c.published_at >= since
    yield "publications", published.where(*recent).group_by(datasets.c.account_id)


def _counted(
    of: ColumnElement[int],
    accounts: Sequence[int],
    *where: ColumnElement[bool],
    counted: ColumnElement[int] | None = None,
) -> Select[int, int]:
    number = func.count() if counted is None else counted
    return select(of, number).where(of.in_(accounts), *where).group_by(of)


def _failing_messages(since: int) -> ColumnElement[bool]:
    table = message_deliveries.c
    tried_again = and_(table.state == MessageState.DUE, table.attempts > 0)
    return or_(tried_again, and_(table.state == MessageState.FAILED, table.updated_at >= since))


def _failing_notices(accounts: Sequence[int], since: int) -> Select[int, int]:
    """Reports with a refused notice that no later one made good."""
    later = deliveries.alias("later")
    arrived = exists().where(
        later.c.report_id == deliveries.c.report_id,
        later.c.id > deliveries.c.id,
        later.c.state == DeliveryState.ACKNOWLEDGED,
    )
    refused = deliveries.c.state == DeliveryState.REFUSED, deliveries.c.sent_at >= since, ~arrived
    number = func.count(deliveries.c.report_id.distinct())
    return _counted(deliveries.c.account_id, accounts, *refused, counted=number)


def _last_published(connection: Connection, accounts: Sequence[int]) -> dict[int, int]:
    query = select(datasets.c.account_id, func.max(dataset_files.c.published_at)).join_from(dataset_files, datasets)
    found = connection.execute(query.where(datasets.c.account_id.in_(accounts)).group_by(datasets.c.account_id))
    return {row[0]: row[1] for row in found}
