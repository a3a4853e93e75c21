"""`/api/v1/usage`: what an account sent, was answered and asked for. docs/reference/resources-api.md."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, timedelta

import msgspec

from airtally.accounts.permissions import Permission
from airtally.api.operation import OperationCall, operation
from airtally.api.pages import ListingPage, PageQuery, page_of
from airtally.kit.errors import Unprocessable
from airtally.kit.time import utc_day
from airtally.services import Services
from airtally.usage.figures import UsageFigures
from airtally.usage.reading import AccountTotal, UsageGrain, UsageInterval, UsageRow

#: Days of an answer by day at most.
MOST_DAYS = 366
_DEFAULT_DAYS = 30


class UsageQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Days UTC, `end` not included; without them the last 30 days with today."""

    start: date | None = None
    end: date | None = None
    grain: UsageGrain = UsageGrain.DAY


class UsageAccountsQuery(PageQuery):
    """Days UTC, `end` not included; without them the last 30 days with today."""

    start: date | None = None
    end: date | None = None


class UsageSums(msgspec.Struct, frozen=True):
    """`bytes_in`: of bodies and files as sent; `rows_out`: of answers and files; `bytes_out`: of answers' bodies."""

    rows_accepted: int
    rows_refused: int
    bytes_in: int
    requests: int
    rows_out: int
    bytes_out: int


class UsageOfTime(UsageSums, frozen=True):
    """`start`: the day, or the first day of the month that is in the interval. `kind`: native, files, or a vendor."""

    start: str
    kind: str


class UsageAnswer(msgspec.Struct, frozen=True):
    """Times and APIs without figures are left out. `total`: of all of them."""

    start: str
    end: str
    grain: UsageGrain
    timezone: str
    total: UsageSums
    usage: list[UsageOfTime]


class UsageOfAccount(UsageSums, frozen=True):
    """The sums of one account in the interval."""

    slug: str


class UsageResource:
    def __init__(self, services: Services) -> None:
        self._reader = services.usage.reader
        self._clock = services.clock

    @operation("GET", "/usage", Permission.READ, "Get the account's usage")
    def get_usage(self, call: OperationCall[UsageQuery, None]) -> UsageAnswer:
        """By day or month UTC, and by the API that was used; the last seconds may be missing.

        At most 366 days by day, any number by month. Days are kept for AIRTALLY_USAGE_DAYS.
        """
        asked = call.query
        interval = self._interval(asked.start, asked.end)
        if asked.grain is UsageGrain.DAY and (interval.end - interval.start).days > MOST_DAYS:
            raise Unprocessable(f"An answer by day has {MOST_DAYS} days at most", hint="Ask with `grain=month`")
        found = self._reader.of(call.account.id, interval, asked.grain)
        total = sum((each.figures for each in found), UsageFigures())
        return UsageAnswer(
            start=interval.start.isoformat(),
            end=interval.end.isoformat(),
            grain=asked.grain,
            timezone="UTC",
            total=UsageSums(**asdict(total)),
            usage=[_of_time(each) for each in found],
        )

    @operation("GET", "/usage/accounts", Permission.OPERATOR, "List the usage of all accounts")
    def list_usage_of_accounts(self, call: OperationCall[UsageAccountsQuery, None]) -> ListingPage[UsageOfAccount]:
        """The sums of each account that has any in the interval, in the order in which the accounts were made."""
        asked = call.query
        interval = self._interval(asked.start, asked.end)
        found = self._reader.totals(interval, after=asked.position, limit=asked.limit + 1)
        return page_of(found, asked.limit, _of_account, lambda each: each.account_id)

    def _interval(self, start: date | None, end: date | None) -> UsageInterval:
        """Raises Unprocessable for one that ends before it starts."""
        try:
            last = end or utc_day(self._clock.now_us()) + timedelta(days=1)
            interval = UsageInterval(start or last - timedelta(days=_DEFAULT_DAYS), last)
        except OverflowError:
            raise Unprocessable("`end` is too early to have 30 days before it", hint="Give `start`, too") from None
        if interval.end <= interval.start:
            raise Unprocessable("`end` is not after `start`: it is the first day that is not included")
        return interval


def _of_time(row: UsageRow) -> UsageOfTime:
    return UsageOfTime(**asdict(row.figures), start=row.start.isoformat(), kind=row.kind)


def _of_account(total: AccountTotal) -> UsageOfAccount:
    return UsageOfAccount(**asdict(total.figures), slug=total.slug)
