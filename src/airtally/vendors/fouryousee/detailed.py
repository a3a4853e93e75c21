"""The detailed report: one line for each play.

docs/vendors/fouryousee.md#7: keys, order and forms of a line are exact.
"""

from __future__ import annotations

from airtally.accounts.accounts import Account
from airtally.query.lines import EventDate, EventTime, Extract, Fixed, Integer, JsonLine, Text
from airtally.reports.report_type import ReportType
from airtally.reports.requests import PlayFilter
from airtally.sql.filters import AllOf, Filter, OneOf
from airtally.streams import PLAYLOGS
from airtally.vendors.fouryousee.notices import notice


def plays_of(account: Account, plays: PlayFilter) -> Extract:
    """The account's plays that match the filter, as lines in the order that it names."""
    return Extract(
        stream=PLAYLOGS,
        account=account.slug,
        line=_play_line(account.slug),
        start_us=plays.start_us,
        end_us=plays.end_us,
        where=_condition(plays),
        descending=plays.descending,
    )


def _play_line(slug: str) -> JsonLine:
    return JsonLine(
        (
            ("account", Fixed(slug)),
            ("date", EventDate()),
            ("time", EventTime()),
            ("playerId", Integer("player_id")),
            ("mediaId", Integer("media_id")),
            ("ip", Text("ip", plain=True)),
            ("type", Text("type", plain=True)),
        )
    )


def _condition(plays: PlayFilter) -> Filter:
    lists = (("media_id", plays.media_id), ("player_id", plays.player_id))
    return AllOf(tuple(OneOf(column, ids) for column, ids in lists if ids))


#: The only type of report that 4YouSee has.
DETAILED = ReportType(plays_of, notice)
