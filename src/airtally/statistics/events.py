"""Counts how often an event was triggered, by the hour."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from airtally.accounts.accounts import Account
from airtally.accounts.declared import ValueType
from airtally.kit.time import HOUR_US, to_datetime
from airtally.query.buckets import Bucket
from airtally.query.narrow import plain
from airtally.query.question import BUCKET, END_US, FIRST_US, Function, Metric, Question
from airtally.query.service import Queries
from airtally.sql.filters import AllOf, AnyOf, Begins, Between, Equals, Filter, Holds, IsNull, Member, Not, OneOf
from airtally.statistics.asked import Condition, EventStatistics, Operator
from airtally.streams import APP_EVENTS
from airtally.streams.declaration import Type

#: Characters of a stored date's day.
_DAY = len("2026-11-20")
_READ_AS = {ValueType.INTEGER: Type.INT64, ValueType.PRICE: Type.DECIMAL}


def count_events(queries: Queries, account: Account, asked: EventStatistics) -> tuple[bytes, int]:
    """JSON rows of `date` and `count`, one for each hour, and the moment through which they are complete.

    docs/vendors/pushwoosh.md#5.
    """
    answer = queries.answer(question(account, asked))
    starts, counts = plain(answer.table[BUCKET]), plain(answer.table["count"])
    return msgspec.json.encode(list(_hour_rows(asked, dict(zip(starts, counts, strict=True))))), answer.data_through_us


def question(account: Account, asked: EventStatistics) -> Question:
    """The question, cut to the years that rows can be of: clients ask from year 1 to 9999."""
    start_us = min(max(asked.start_us, FIRST_US), END_US)
    named = (Equals("application", asked.application), Equals("event", asked.event))
    return Question(
        stream=APP_EVENTS,
        account=account.slug,
        metrics=(Metric("count", Function.SUM, "count"),),
        where=AllOf((*named, *map(condition_of, asked.conditions))),
        start_us=start_us,
        end_us=max(start_us, min(asked.end_us, END_US)),
        bucket=Bucket.HOUR,
    )


def condition_of(condition: Condition) -> Filter:
    """A condition on an attribute as a filter of rows.

    docs/vendors/pushwoosh.md#4.
    """
    member = Member("attributes", condition.name, _READ_AS.get(condition.type, Type.TEXT))
    absent = IsNull(Member("attributes", condition.name))  # a value that does not fit the type is set all the same
    match condition.operator:
        case Operator.NOTSET:
            return absent
        case Operator.ANY:
            return Not(absent)
        case Operator.NOTEQ | Operator.NOTIN:
            fits = Not(IsNull(member))  # a value that does not fit the type equals nothing
            return AllOf((Not(absent), Not(AllOf((fits, _equal(member, condition))))))
        case Operator.EQ | Operator.IN:
            return _equal(member, condition)
        case _:
            return _compared(member, condition)


def _compared(member: Member, condition: Condition) -> Filter:
    first, last = condition.values[0], condition.values[-1]
    return Between(
        member,
        at_least=None if condition.operator is Operator.LTE else first.first,
        at_most=None if condition.operator is Operator.GTE else last.last,
    )


def _equal(member: Member, condition: Condition) -> Filter:
    if condition.type is ValueType.LIST:
        texts = tuple(value.first for value in condition.values)
        return Holds(member, texts, exactly=condition.operator is Operator.EQ)
    moments = tuple(value.first for value in condition.values if value.first == value.last)
    days = tuple(value.first[:_DAY] for value in condition.values if value.first != value.last)
    equal = OneOf(member, moments)
    return AnyOf((equal, Begins(member, days, " 00:00", " 23:59"))) if days else equal


def _hour_rows(asked: EventStatistics, counts: dict[int, int]) -> Iterator[dict[str, str | int]]:
    for start_us in range(asked.start_us, asked.end_us, HOUR_US):
        yield {"date": to_datetime(start_us).isoformat(" ", "minutes")[:16], "count": counts.get(start_us, 0)}
