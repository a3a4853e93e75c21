"""Reads the stored usage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, func, select

from airtally.database.rows import AnyRow
from airtally.database.store import MetadataStore
from airtally.database.tables import accounts, usage
from airtally.kit.time import DAY_US, day_start_us, utc_day
from airtally.usage.figures import FIGURE_NAMES, UsageFigures

_SUMS: tuple[ColumnElement[Any], ...] = tuple(
    func.coalesce(func.sum(usage.c[name]), 0).label(name) for name in FIGURE_NAMES
)


class UsageGrain(StrEnum):
    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class UsageInterval:
    """Whole days UTC, `end` not included."""

    start: date
    end: date

    @property
    def days(self) -> ColumnElement[bool]:
        return usage.c.day.between(_number_of(self.start), _number_of(self.end) - 1)


@dataclass(frozen=True, slots=True)
class UsageRow:
    """Figures of a day, or of a month (its first day in the interval), and of one API."""

    start: date
    kind: str
    figures: UsageFigures


@dataclass(frozen=True, slots=True)
class AccountTotal:
    """Figures of an account in an interval, of all APIs."""

    account_id: int
    slug: str
    figures: UsageFigures


class UsageReader:
    """Thread-safe: every call is a transaction that reads."""

    def __init__(self, store: MetadataStore) -> None:
        self._store = store

    def of(self, account_id: int, interval: UsageInterval, grain: UsageGrain) -> list[UsageRow]:
        """By time, then API; what has no figures is left out."""
        mine = usage.c.account_id == account_id, interval.days
        query = select(usage.c.day, usage.c.kind, *_SUMS).where(*mine).group_by(usage.c.day, usage.c.kind)
        found: dict[tuple[date, str], UsageFigures] = {}
        with self._store.read() as connection:
            for row in connection.execute(query.order_by(usage.c.day, usage.c.kind)):
                day = utc_day(row.day * DAY_US)
                start = day if grain is UsageGrain.DAY else max(day.replace(day=1), interval.start)
                before = found.get((start, row.kind), UsageFigures())
                found[start, row.kind] = before + _figures(row)
        return [UsageRow(start, kind, found[start, kind]) for start, kind in sorted(found)]

    def totals(self, interval: UsageInterval, *, after: int | None = None, limit: int = 100) -> Sequence[AccountTotal]:
        """Of each account that has figures in the interval, in the order of their ids, from the one after `after`."""
        query = select(accounts.c.id, accounts.c.slug, *_SUMS).join(usage, usage.c.account_id == accounts.c.id)
        query = query.where(interval.days, accounts.c.id > (after or 0)).group_by(accounts.c.id, accounts.c.slug)
        with self._store.read() as connection:
            rows = connection.execute(query.order_by(accounts.c.id).limit(limit)).all()
        return [AccountTotal(row.id, row.slug, _figures(row)) for row in rows]

    def of_accounts(self, accounts: Sequence[int], interval: UsageInterval) -> dict[int, UsageFigures]:
        """Sums of all APIs by the account's id; an account without figures is left out."""
        query = select(usage.c.account_id, *_SUMS).where(usage.c.account_id.in_(accounts), interval.days)
        with self._store.read() as connection:
            return {row.account_id: _figures(row) for row in connection.execute(query.group_by(usage.c.account_id))}


def _number_of(day: date) -> int:
    """Of a UTC day as it is stored."""
    return day_start_us(day) // DAY_US


def _figures(row: AnyRow) -> UsageFigures:
    return UsageFigures(*(int(getattr(row, name)) for name in FIGURE_NAMES))
