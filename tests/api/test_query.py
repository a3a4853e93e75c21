"""`POST /api/v1/query`: figures in the account's zone, and a message for every invalid query."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

DAY = {"start": "2026-10-01T00:00:00", "end": "2026-10-02T00:00:00"}


def plays(*rows):
    return [
        {"played_at": at, "player_id": player, "media_id": media, "duration_seconds": 7.5} for at, player, media in rows
    ]


def ad(at, **more):
    return {"ad_group_id": "g1", "kind": "paid_click", "time": at} | more


def figures(client, **question):
    answer = client.ask(**question)
    assert answer.status_code == 200, answer.text
    return answer.json()["rows"]


def moments(rows, zone="UTC"):
    """The buckets as wall clock, with their counts, in order."""
    found = sorted((row["bucket"], row["count"]) for row in rows)
    read = [(datetime.fromtimestamp(us / 1e6, ZoneInfo(zone)), count) for us, count in found]
    return {at.isoformat(timespec="minutes"): count for at, count in read}


@pytest.fixture
def filled(client):
    rows = plays(
        ("2026-10-01T08:00:00", 1, 10),
        ("2026-10-01T08:20:00", 1, 11),
        ("2026-10-01T23:59:59.5", 2, 10),
        ("2026-10-02T00:00:00", 2, 10),
    )
    assert client.send("playlogs", rows).json()["accepted"] == 4
    return client


def test_filters_dimensions_and_metrics(filled):
    assert figures(filled, stream="playlogs", filter={"player_id": 1}) == [{"count": 2}]
    assert figures(filled, stream="playlogs", filter={"media_id": [10, 11], "player_id": [2]}) == [{"count": 2}]
    assert figures(filled, stream="playlogs", filter={"media_id": []}) == [{"count": 0}]
    assert figures(filled, stream="playlogs", **DAY) == [{"count": 3}]
    metrics = [
        {"function": "sum", "column": "duration_seconds"},
        {"function": "distinct", "column": "media_id", "name": "medias"},
        "count",
    ]
    rows = figures(filled, stream="playlogs", dimensions=["player_id"], metrics=metrics)
    assert sorted(rows, key=lambda row: row["player_id"]) == [
        {"player_id": 1, "sum_duration_seconds": 15.0, "medias": 2, "count": 2},
        {"player_id": 2, "sum_duration_seconds": 15.0, "medias": 1, "count": 2},
    ]


def test_an_answer_says_how_good_it_is(filled):
    answer = filled.ask(stream="playlogs").json()
    assert answer["timezone"] == "UTC"
    assert datetime.fromisoformat(answer["data_through"]) <= datetime.fromisoformat(answer["generated_at"])


def test_a_corrected_event_counts_once_as_it_came_last(client):
    client.send("playlogs", [row | {"id": "a"} for row in plays(("2026-10-01T08:00:00", 1, 10))])
    client.send("playlogs", [row | {"id": "a"} for row in plays(("2026-10-01T09:00:00", 3, 10))])
    assert figures(client, stream="playlogs", dimensions=["player_id"]) == [{"player_id": 3, "count": 1}]


def test_local_times_are_never_shifted(api_server, join):
    """A playlog's wall clock is the place's, whatever the account's zone or an offset says."""
    client = join(api_server, timezone="Asia/Kathmandu")
    client.send(
        "playlogs",
        plays(("2026-10-01T00:00:00", 1, 1), ("2026-10-01T23:59:59-03:00", 1, 1), ("2026-10-02T00:00:00", 1, 1)),
    )
    days = {"start": "2026-10-01T00:00:00", "end": "2026-10-03T00:00:00", "bucket": "day"}
    answer = client.ask(stream="playlogs", **days).json()
    assert moments(answer["rows"]) == {"2026-10-01T00:00+00:00": 2, "2026-10-02T00:00+00:00": 1}
    assert answer["timezone"] == "UTC"
    asked_elsewhere = figures(client, stream="playlogs", timezone="America/New_York", **days)
    assert moments(asked_elsewhere) == moments(answer["rows"])


def around(start, end, zone, step):
    """An event at each step of the interval, its ends given as wall clock of the zone; and one just outside each."""
    begin, until = (
        datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) for text in (start, end)
    )
    at, found = begin, []
    while at < until:
        found.append(at)
        at += step
    outside = [begin - timedelta(milliseconds=1), until]
    interval = {"start": begin.isoformat(), "end": until.isoformat()}
    return [ad(moment.isoformat()) for moment in (*found, *outside)], interval


@pytest.mark.parametrize(
    ("zone", "start", "end", "days"),
    [
        (
            "America/New_York",
            "2026-03-07T00:00",
            "2026-03-10T00:00",
            {"2026-03-07T00:00-05:00": 24, "2026-03-08T00:00-05:00": 23, "2026-03-09T00:00-04:00": 24},
        ),
        (
            "America/New_York",
            "2026-10-31T00:00",
            "2026-11-03T00:00",
            {"2026-10-31T00:00-04:00": 24, "2026-11-01T00:00-04:00": 25, "2026-11-02T00:00-05:00": 24},
        ),
        (
            "Asia/Kathmandu",
            "2026-10-01T00:00",
            "2026-10-03T00:00",
            {"2026-10-01T00:00+05:45": 24, "2026-10-02T00:00+05:45": 24},
        ),
    ],
)
def test_days_of_the_accounts_zone(api_server, join, zone, start, end, days):
    client = join(api_server, timezone=zone)
    events, interval = around(start, end, zone, timedelta(hours=1))
    assert client.send("ad_events", events).json()["rejected"] == 0
    answer = client.ask(stream="ad_events", bucket="day", **interval).json()
    assert moments(answer["rows"], zone) == days
    assert answer["timezone"] == zone
    asked_in_utc = figures(client, stream="ad_events", bucket="day", timezone="UTC", **interval)
    assert moments(asked_in_utc) != moments(answer["rows"])
    assert sum(row["count"] for row in asked_in_utc) == sum(days.values())


def test_hours_that_are_skipped_or_lived_twice(api_server, join):
    client = join(api_server, timezone="America/New_York")
    spring, in_spring = around("2026-03-08T00:00", "2026-03-08T05:00", "America/New_York", timedelta(minutes=30))
    autumn, in_autumn = around("2026-11-01T00:00", "2026-11-01T03:00", "America/New_York", timedelta(minutes=30))
    client.send("ad_events", spring + autumn)
    found = moments(figures(client, stream="ad_events", bucket="hour", **in_spring), "America/New_York")
    assert [at[11:16] for at in found] == ["00:00", "01:00", "03:00", "04:00"]
    found = moments(figures(client, stream="ad_events", bucket="hour", **in_autumn), "America/New_York")
    assert [at[11:] for at in found] == ["00:00-04:00", "01:00-04:00", "01:00-05:00", "02:00-05:00"]
    assert set(found.values()) == {2}


def test_quarters_of_a_zone_with_45_minutes(api_server, join):
    client = join(api_server, timezone="Asia/Kathmandu")
    events, interval = around("2026-10-01T00:00", "2026-10-01T02:00", "Asia/Kathmandu", timedelta(minutes=5))
    client.send("ad_events", events)
    hours = moments(figures(client, stream="ad_events", bucket="hour", **interval), "Asia/Kathmandu")
    assert hours == {"2026-10-01T00:00+05:45": 12, "2026-10-01T01:00+05:45": 12}
    assert len(figures(client, stream="ad_events", bucket="quarter", **interval)) == 8


def test_money_is_told_in_micros(client):
    client.send("ad_events", [ad("2026-10-01T00:00:00Z", spend="1.000001"), ad("2026-10-01T00:00:00Z", spend=-0.5)])
    assert figures(client, stream="ad_events", metrics=[{"function": "sum", "column": "spend"}]) == [
        {"sum_spend": 500_001}
    ]


#: Texts for a moment, as rows may carry it with an offset or without, and texts that no row may carry.
ZONED = [
    "2026-10-01T08:00:00Z",
    "2026-10-01t08:00:00z",
    "2026-10-01T08:00:00z",
    "2026-10-01 08:00:00z",
    "2026-10-01 08:00:00+00:00",
    "2026-10-01T08:00:00-00:00",
    "2026-10-01T10:00:00+02:00",
    "2026-10-01T13:45:00+05:45",
    "2026-09-30T20:30:00-11:30",
    "2026-10-01T08:00:00.0Z",
    "2026-10-01T08:00:00.000000999z",
    "2026-10-01T08:00:00.000000000000000000Z",
]
LOCAL = ["2026-10-01T08:00:00", "2026-10-01t08:00:00", "2026-10-01 08:00:00", "2026-10-01T08:00:00.0000009"]
NO_TIMES = [
    "",
    "2026-10-01",
    "20261001T080000Z",
    "2026-W40-4T08:00:00Z",
    "2026-10-01T08Z",
    "2026-10-01T08:00Z",
    "2026-10-01T08:00:00,5Z",
    "2026-10-01T08:00:00.Z",
    "2026-10-01T08:00:00.0000000000000000000Z",
    "2026-10-01T08:00:00+0200",
    "2026-10-01T08:00:00+02",
    "2026-10-01T08:00:00+24:00",
    "2026-10-01T08:00:00+02:00:30",
    "2026-10-01T24:00:00Z",
    "2026-10-01T08:00:60Z",
    "2026-02-29T08:00:00Z",
    "2026-10-01_08:00:00Z",
    " 2026-10-01T08:00:00Z",
    "2026-10-01T08:00:00Z ",
    "2026-10-01T08:00:00Z\n",
    "\u0662026-10-01T08:00:00Z",
    "2026-10-01T08:00:00\u2212 02:00",
    "1790841600",
]


@pytest.mark.parametrize("text", [*ZONED, *LOCAL, *NO_TIMES])
@pytest.mark.parametrize("stream", ["ad_events", "playlogs"])
def test_a_question_takes_the_times_that_rows_take(client, stream, text):
    """One parser serves both. Whatever it takes here is the same moment, at both ends and in a filter."""
    local = stream == "playlogs"
    name, row = (
        ("played_at", {"player_id": 1, "media_id": 2})
        if local
        else ("time", {"ad_group_id": "g", "kind": "paid_click"})
    )
    taken = client.send(stream, [row | {name: text}]).json()["accepted"] == 1
    assert taken is (text in ZONED or (local and text in LOCAL))
    later = "2100-01-01T00:00:00Z"
    asked = [
        {"start": text, "end": later},
        {"start": "1970-01-01T00:00:00Z", "end": text},
        {"filter": {name: text}},
        {"filter": {name: [text, later]}},
    ]
    answers = [client.ask(stream=stream, **each) for each in asked]
    assert {answer.status_code for answer in answers} == {200 if taken else 422}
    if taken:
        assert [answer.json()["rows"][0]["count"] for answer in answers] == [1, 0, 1, 1]


def test_a_filter_by_time_takes_what_answers_show(filled):
    (row,) = figures(filled, stream="playlogs", dimensions=["played_at"], filter={"played_at": "2026-10-01 23:59:59.5"})
    assert row == {"played_at": 1_790_899_199_500_000, "count": 1}
    for listed in (
        [row["played_at"]],
        [row["played_at"], "2026-10-01T08:20:00"],
        [row["played_at"] + at for at in range(100)],
    ):
        asked = {"filter": {"played_at": listed}, "dimensions": ["player_id"]}
        assert {"player_id": 2, "count": 1} in figures(filled, stream="playlogs", **asked)
    assert figures(filled, stream="playlogs", filter={"played_at": row["played_at"]}) == [{"count": 1}]


def test_the_ends_of_all_time(client):
    """[1970, 2101) is what a row may carry; the end of an interval is the moment after its last."""
    assert client.send("ad_events", [ad("2100-12-31T23:59:59.999999z")]).json()["accepted"] == 1
    whole = {"start": "1970-01-01t00:00:00z", "end": "2101-01-01t00:00:00z"}
    assert figures(client, stream="ad_events", **whole) == [{"count": 1}]
    for wrong in ("1968-12-31T23:59:59Z", "2102-01-01T00:00:00Z", "0000-01-01T00:00:00Z"):
        assert client.ask(stream="ad_events", start=wrong).status_code == 422


WRONG = {
    "nothing": {},
    "unknown key": {"stream": "playlogs", "surprise": 1},
    "unknown function": {"stream": "playlogs", "metrics": ["mean"]},
    "no metric": {"stream": "playlogs", "metrics": []},
    "sum of nothing": {"stream": "playlogs", "metrics": ["sum"]},
    "sum of text": {"stream": "playlogs", "metrics": [{"function": "sum", "column": "ip"}]},
    "the same name twice": {"stream": "playlogs", "metrics": ["count", "count"]},
    "a name of ours": {"stream": "playlogs", "metrics": [{"function": "count", "name": "bucket"}]},
    "unknown dimension": {"stream": "playlogs", "dimensions": ["nosuch"]},
    "SQL as dimension": {"stream": "playlogs", "dimensions": ['player_id"; DROP TABLE x; --']},
    "unknown column": {"stream": "playlogs", "filter": {"nosuch": 1}},
    "text for a number": {"stream": "playlogs", "filter": {"player_id": "one"}},
    "half a number": {"stream": "playlogs", "filter": {"player_id": 1.5}},
    "text for a time": {"stream": "playlogs", "filter": {"played_at": "now"}},
    "text for money": {"stream": "ad_events", "filter": {"spend": "much"}},
    "no number for money": {"stream": "ad_events", "filter": {"spend": "NaN"}},
    "endless money": {"stream": "ad_events", "filter": {"spend": "1e999999999"}},
    "much money": {"stream": "ad_events", "filter": {"spend": "1e30"}},
    "little money": {"stream": "ad_events", "filter": {"spend": "1e-999999999"}},
    "400 digits": {"stream": "playlogs", "filter": {"duration_seconds": 10**400}},
    "null": {"stream": "playlogs", "filter": {"player_id": None}},
    "a time without zone": {"stream": "ad_events", "start": "2026-10-01T00:00:00"},
    "no time": {"stream": "playlogs", "start": "yesterday"},
    "time before time": {"stream": "ad_events", "start": "0001-01-01T00:00:00+14:00"},
    "time after time": {"stream": "ad_events", "end": "9999-12-31T23:59:59-14:00"},
    "the first day": {"stream": "ad_events", "start": "0001-01-01T00:00:00Z", "end": "9999-12-31T23:59:59Z"},
    "buckets without end": {"stream": "playlogs", "bucket": "day", "start": "2026-10-01"},
    "unknown bucket": {"stream": "playlogs", "bucket": "fortnight", **DAY},
    "unknown zone": {"stream": "playlogs", "timezone": "Mars/Base"},
    "a path for a zone": {"stream": "playlogs", "timezone": "../../../../etc/passwd"},
    "a folder for a zone": {"stream": "playlogs", "timezone": "America"},
    "half a zone": {"stream": "playlogs", "timezone": "\x00"},
    "no zone": {"stream": "playlogs", "timezone": ""},
    "an absolute path for a zone": {"stream": "playlogs", "timezone": "/etc/localtime"},
    "an over-long zone": {"stream": "playlogs", "timezone": "A" * 5000},
    "a zone that is the machine's": {"stream": "playlogs", "timezone": "localtime"},
    "least of nothing": {"stream": "playlogs", "metrics": [{"function": "min", "column": ""}]},
    "count of a column": {"stream": "playlogs", "metrics": [{"function": "count", "column": "ip"}]},
    "sum of null": {"stream": "playlogs", "metrics": [{"function": "sum", "column": None}]},
    "sum of JSON": {"stream": "medias", "metrics": [{"function": "sum", "column": "categories"}]},
    "no name": {"stream": "playlogs", "metrics": [{"function": "count", "name": ""}]},
    "an over-long name": {"stream": "playlogs", "metrics": [{"function": "count", "name": "n" * 257}]},
    "a name that is no text for SQL": {"stream": "playlogs", "metrics": [{"function": "count", "name": 'a"\0b'}]},
    "a metric by a dimension's name": {
        "stream": "playlogs",
        "metrics": [{"function": "count", "name": "ip"}],
        "dimensions": ["ip"],
    },
    "no dimension": {"stream": "playlogs", "dimensions": [""]},
    "no filter": {"stream": "playlogs", "filter": {"": 1}},
    "an over-long column": {"stream": "playlogs", "filter": {"c" * 100_000: 1}},
    "an over-long value": {"stream": "playlogs", "filter": {"player_id": "9" * 100_000}},
    "an over-long function": {"stream": "playlogs", "metrics": ["f" * 100_000]},
    "an over-long bucket": {"stream": "playlogs", "bucket": "b" * 100_000, **DAY},
    "true": {"stream": "playlogs", "filter": {"player_id": True}},
    "lists in a list": {"stream": "playlogs", "filter": {"player_id": [[1]]}},
    "101 metrics": {"stream": "playlogs", "metrics": [{"function": "count", "name": f"m{n}"} for n in range(101)]},
    "21 dimensions": {"stream": "playlogs", "dimensions": [f"d{n}" for n in range(21)]},
}


@pytest.mark.parametrize("case", WRONG)
def test_what_can_be_read_but_not_asked_is_told_so_in_few_words(client, case):
    """Whatever is wrong with a question that is one: 422, and never a path of the server or a long text again."""
    answer = client.http.post("/api/v1/query", content=json.dumps(WRONG[case]))
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "unprocessable"
    assert answer.json()["detail"].startswith("The query is invalid: ")
    assert len(answer.text) < 600
    assert "zoneinfo" not in answer.text


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b'{"stream": "\xc3\x28"}', b"1e999", b'{"stream": "\\ud800"}']
)
def test_a_body_that_is_no_question(client, body):
    answer = client.http.post("/api/v1/query", content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


def test_other_refusals(client, api_server, join):
    assert client.ask(stream="nosuch").status_code == 404
    assert (
        client.http.post("/api/v1/query", json={"stream": "playlogs"}, headers={"Authorization": ""}).status_code == 401
    )
    assert join(api_server, scopes=("write",)).ask(stream="playlogs").status_code == 403
    assert client.http.put("/api/v1/query").status_code == 405
    assert client.http.post("/api/v1/query", content=b" " * (9 << 20)).status_code == 413


@pytest.mark.parametrize("bucket", ["minute", "quarter", "hour", "day", "month"])
def test_no_end_of_buckets_is_refused_at_once(client, bucket):
    started = time.process_time()  # work, whatever else the machine does
    interval = {"start": "1969-01-01T00:00:00Z", "end": "2101-12-31T23:59:59Z"}
    answer = client.ask(stream="ad_events", bucket=bucket, timezone="America/New_York", **interval)
    assert time.process_time() - started < 5
    if bucket in {"day", "month"}:  # 48,577 and 1,596
        assert answer.status_code == 200
    else:
        assert (answer.status_code, answer.json()["code"]) == (422, "limit_exceeded")


def test_an_interval_that_ends_before_it_begins(filled):
    backwards = {"start": DAY["end"], "end": DAY["start"]}
    for asked in ({}, {"bucket": "hour"}):
        answer = filled.ask(stream="playlogs", **backwards, **asked)
        assert (answer.status_code, "`start` lies after `end`" in answer.text) == (422, True)


def test_sums_wider_than_64_bits_are_exact(client):
    at, most = "2026-10-01T08:00:00Z", 9223372036854775807
    rows = [ad(at, count=most), ad(at, count=5), ad(at, count=7, country="DE", spend="999999999999.999999")]
    rows += [ad(at, country="DE", count=0, spend="999999999999.999999")] * 11
    assert client.send("ad_events", rows).json()["accepted"] == len(rows)
    sums = [{"function": "sum", "column": column} for column in ("count", "spend")]
    found = figures(client, stream="ad_events", metrics=sums, dimensions=["country"])
    assert sorted(found, key=lambda row: row["country"]) == [
        {"country": "DE", "sum_count": 7, "sum_spend": 12 * (10**18 - 1)},
        {"country": "ZZ", "sum_count": 9223372036854775812, "sum_spend": 0},
    ]


def test_a_sum_that_no_double_holds_is_refused(client):
    row = plays(("2026-10-01T08:00:00", 1, 10))[0]
    assert client.send("playlogs", [row | {"duration_seconds": 1.7e308}] * 3).json()["accepted"] == 3
    answer = client.ask(stream="playlogs", metrics=[{"function": "sum", "column": "duration_seconds"}])
    assert answer.status_code == 422
    assert "sum_duration_seconds is beyond the largest number that a double holds" in answer.text
    assert figures(client, stream="playlogs", metrics=[{"function": "max", "column": "duration_seconds"}]) == [
        {"max_duration_seconds": 1.7e308}
    ]
