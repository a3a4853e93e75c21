"""`/api/v1/overview` and `/api/v1/activity`: whether rows come in, and whether anything waits or fails."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import msgspec

from airtally.accounts.accounts import Account
from airtally.accounts.permissions import Permission
from airtally.api.operation import OperationCall, PlainCall, operation
from airtally.api.times import shown_moment
from airtally.kit.errors import Failure
from airtally.kit.time import to_datetime
from airtally.overview.standings import AccountStanding, Standings
from airtally.query.activity import ActivityGrain, StreamActivity, activity_of
from airtally.query.ranges import RangeClock
from airtally.services import Services
from airtally.streams import STREAMS
from airtally.streams.declaration import Stream


class StandingAnswer(msgspec.Struct, frozen=True):
    """What of an account waits, and what failed or was refused within 7 days.

    `jobs_waiting` are due. `deliveries_failing`: messages that are tried again or were given up; `notices_failing`:
    reports whose last notice was refused; `webhooks_disabled`: by the server, as nothing arrived. `rows_refused`: not sent
    again since. `publications`: files; `publications_late`: datasets an hour behind their slot.
    """

    jobs_running: int
    jobs_waiting: int
    jobs_failed: int
    deliveries_failing: int
    notices_failing: int
    webhooks_disabled: int
    alarms_firing: int
    rows_refused: int
    publications: int
    publications_late: int
    last_published_at: str | None


class ActivityQuery(msgspec.Struct, forbid_unknown_fields=True):
    """`grain`: 30 days with today, or 24 hours with this one. `stream`: of this one only."""

    grain: ActivityGrain = ActivityGrain.DAY
    stream: str | None = None


class StreamActivityAnswer(msgspec.Struct, frozen=True):
    """`rows` of the intervals that begin at `times`: an event that came twice counts once.

    `late_rows` were received today for the days before. `error`: why there are no figures.
    """

    stream: str
    times: list[str]
    rows: list[int]
    late_rows: int
    error: str | None


class ActivityAnswer(msgspec.Struct, frozen=True):
    """Streams that have rows, in the order of the list of streams. Times are those of `timezone`."""

    timezone: str
    grain: ActivityGrain
    streams: list[StreamActivityAnswer]


_STANDING = {
    "jobs_running": 1,
    "jobs_waiting": 0,
    "jobs_failed": 2,
    "deliveries_failing": 1,
    "notices_failing": 0,
    "webhooks_disabled": 0,
    "alarms_firing": 0,
    "rows_refused": 17,
    "publications": 21,
    "publications_late": 0,
    "last_published_at": "2026-11-02T09:00:00.000000Z",
}


class OverviewResource:
    def __init__(self, services: Services) -> None:
        self._queries = services.queries
        self._clock = services.clock
        self._standings = standings_of(services)

    @operation(
        *("GET", "/overview", Permission.READ, "What waits, fails or was refused"),
        answer_example=_STANDING,
    )
    def get_overview(self, call: PlainCall) -> StandingAnswer:
        """Jobs, deliveries, alarms, refused rows and publications, of now and of the last 7 days."""
        return standing_answer(self._standings.of([call.account.id])[call.account.id])

    @operation(
        *("GET", "/activity", Permission.READ, "Rows of each stream over time"),
        answer_example={
            "timezone": "America/Sao_Paulo",
            "grain": "day",
            "streams": [
                {
                    "stream": "playlogs",
                    "times": ["2026-11-01T00:00:00-03:00", "2026-11-02T00:00:00-03:00"],
                    "rows": [80_412, 31_007],
                    "late_rows": 12,
                    "error": None,
                }
            ],
        },
    )
    def get_activity(self, call: OperationCall[ActivityQuery, None]) -> ActivityAnswer:
        """In the account's time zone, by the rows' own time. Kept in memory until rows of the stream come in."""
        asked, account = call.query, call.account
        named = (
            STREAMS.values()
            if asked.stream is None
            else [each for each in STREAMS.values() if each.name == asked.stream]
        )
        with_rows = [each for each in named if self._queries.freshness(each, account.slug).stored.rows]
        found = [self._activity(each, account, asked.grain) for each in with_rows]
        return ActivityAnswer(account.timezone, asked.grain, found)

    def _activity(self, stream: Stream, account: Account, grain: ActivityGrain) -> StreamActivityAnswer:
        """One stream's trouble is not another's."""
        now = RangeClock(self._clock.now_us(), account.zone)
        try:
            found = activity_of(self._queries, stream, account.slug, now, grain)
        except Failure as failure:
            return StreamActivityAnswer(stream.name, [], [], 0, failure.message)
        return StreamActivityAnswer(stream.name, _times(found, account), found.rows, found.late_rows, None)


def standings_of(services: Services) -> Standings:
    return Standings(services.store, services.clock, services.datasets.publisher.publication_store)


def standing_answer(standing: AccountStanding) -> StandingAnswer:
    values: dict[str, Any] = asdict(standing)
    return StandingAnswer(**values | {"last_published_at": shown_moment(standing.last_published_at)})


def _times(activity: StreamActivity, account: Account) -> list[str]:
    """With the offset that the zone has then."""
    if activity.local:
        walls = (to_datetime(each).replace(tzinfo=account.zone) for each in activity.starts)
        return [each.isoformat() for each in walls]
    return [to_datetime(each).astimezone(account.zone).isoformat() for each in activity.starts]
