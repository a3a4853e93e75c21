"""Days of a zone whose clock is set back over midnight, answered by segments and by rows."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from airtally.kit.time import HOUR_US, MINUTE_US, from_datetime, to_datetime
from airtally.query.buckets import Bucket
from airtally.query.question import Function, Metric, Question
from airtally.rollups.cells import is_cut
from airtally.streams import APP_EVENTS, VIEWER_SAMPLES


def at(text: str, zone: ZoneInfo | None = None) -> int:
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=zone or UTC))


ST_JOHNS = ZoneInfo("America/St_Johns")
#: 23:01 on 6 November 2010, for the second time.
AGAIN = at("2010-11-07 02:31")


@pytest.mark.parametrize("segments", [False, True])
def test_an_evening_lived_twice_counts_on_its_day(new_home, segments):
    home = new_home()
    moments = [AGAIN + minute * MINUTE_US for minute in range(59)]
    moments += [AGAIN - MINUTE_US, AGAIN + HOUR_US, AGAIN - 2 * HOUR_US]  # 00:00 on the 7th twice, 22:31 on the 6th
    rows = [{"application": "A", "event": "e", "time": moment, "count": 2} for moment in moments]
    home.send(APP_EVENTS, home.account("acme"), rows)
    home.flush()
    if segments:
        home.rebuild(APP_EVENTS)
    for bucket, counted in (
        (Bucket.DAY, {"2010-11-06": 120, "2010-11-07": 4}),
        (Bucket.WEEK, {"2010-11-01": 124}),
        (Bucket.MONTH, {"2010-11-01": 124}),
    ):
        question = Question(
            *(APP_EVENTS, "acme", (Metric("triggers", Function.SUM, "count"),)),
            start_us=at("2010-11-06", ST_JOHNS),
            end_us=at("2010-11-08", ST_JOHNS),
            zone=ST_JOHNS,
            bucket=bucket,
        )
        found = {to_datetime(row["bucket"]).astimezone(ST_JOHNS): row["triggers"] for row in home.ask(question)}
        assert {f"{day:%Y-%m-%d}": count for day, count in found.items()} == counted
        assert home.ask(question) == home.ask_rows(question)


@pytest.mark.parametrize(
    ("moment", "zone", "cut"),
    [
        ("2026-10-25 00:00", "Europe/Berlin", True),  # midnight UTC
        ("2026-10-24 22:00", "Europe/Berlin", True),  # the account's midnight, in summer
        ("2026-10-25 23:00", "Europe/Berlin", True),  # and in winter
        ("2026-10-25 22:00", "Europe/Berlin", False),
        ("2026-10-25 01:00", "Europe/Berlin", True),  # the clock is set back
        ("2026-10-25 02:00", "Europe/Berlin", False),
        ("2026-10-24 18:30", "Asia/Kolkata", True),
        ("2026-10-24 18:00", "Asia/Kolkata", False),
    ],
)
def test_local_days_are_cut_at_both_midnights_and_where_the_offset_changes(moment, zone, cut):
    assert is_cut(at(moment), VIEWER_SAMPLES.rollups[0], ZoneInfo(zone)) is cut


@pytest.mark.parametrize(("moment", "cut"), [("2026-10-25 01:00", True), ("2026-10-25 01:30", False)])
def test_hours_are_cut_at_hours_in_every_zone(moment, cut):
    assert is_cut(at(moment), VIEWER_SAMPLES.rollups[1], ZoneInfo("Asia/Kolkata")) is cut
