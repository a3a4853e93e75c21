"""How many rows each stream has day by day or hour by hour: what people look at first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

import msgspec
import pyarrow as pa

from airtally.kit.time import HOUR_US
from airtally.query.buckets import Bucket
from airtally.query.narrow import plain
from airtally.query.question import BUCKET, Metric, Question
from airtally.query.ranges import RangeClock
from airtally.query.refusal import RowsGone
from airtally.query.service import Queries
from airtally.streams.declaration import Stream, Type

#: Days with today, hours with the current one.
DAYS, HOURS = 30, 24
_ROWS = "rows"
_FORM = "activity"


class ActivityGrain(StrEnum):
    DAY = "day"
    HOUR = "hour"


@dataclass(frozen=True, slots=True)
class StreamActivity:
    """Rows by their own time, events that came twice once. `starts` of the intervals: microseconds, ascending.

    Of a stream with `local` times they are wall clock written as if it were UTC. `late_rows` were received today
    for the days before. Intervals whose rows are kept no more are left out.
    """

    starts: list[int]
    rows: list[int]
    late_rows: int
    local: bool


def activity_of(
    queries: Queries, stream: Stream, account: str, now: RangeClock, grain: ActivityGrain
) -> StreamActivity:
    """Of the last days or hours in the zone of `now`. One question, kept until the stream changes; raises as it does."""
    local = stream.column(stream.time).type is Type.LOCAL_TIME
    clock = replace(now, local=local)
    question = _question(stream, account, clock, grain)
    try:
        starts, rows = _counted(queries, question)
    except RowsGone as gone:
        later = [each for each in gone.instead if each.bucket is question.bucket and each.zone == question.zone]
        starts, rows = _counted(queries, later[-1]) if later else ([], [])
    return StreamActivity(starts, rows, _late_rows(queries, stream, account, clock), local)


def _question(stream: Stream, account: str, clock: RangeClock, grain: ActivityGrain) -> Question:
    if grain is ActivityGrain.DAY:
        start, end = (
            clock.midnight(clock.today - timedelta(days=DAYS - 1)),
            clock.midnight(clock.today + timedelta(days=1)),
        )
    else:
        start = clock.unit_start(Bucket.HOUR) - (HOURS - 1) * HOUR_US
        end = clock.unit_start(Bucket.HOUR) + HOUR_US
    return Question(
        stream, account, (Metric(_ROWS),), start_us=start, end_us=end, zone=clock.zone, bucket=Bucket(grain.value)
    )


def _counted(queries: Queries, question: Question) -> tuple[list[int], list[int]]:
    def write(table: pa.Table) -> Iterable[bytes]:
        found = zip(plain(table.column(BUCKET)), plain(table.column(_ROWS)), strict=True)
        yield msgspec.json.encode(list(found))

    counts = dict(msgspec.json.decode(queries.written(question, _FORM, write).body, type=list[tuple[int, int]]))
    starts = question.bucket_starts()
    return starts, [counts.get(each, 0) for each in starts]


def _late_rows(queries: Queries, stream: Stream, account: str, clock: RangeClock) -> int:
    midnight = replace(clock, local=False).midnight(clock.today)
    start, end = clock.midnight(clock.today - timedelta(days=DAYS - 1)), clock.midnight(clock.today)
    return queries.late_rows(Question(stream, account, (Metric(_ROWS),), start_us=start, end_us=end), midnight)
