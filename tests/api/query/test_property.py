"""Any question equals a naive count over the rows: in three zones, from segments and from rows, in all formats."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airtally.kit.time import DAY_US, HOUR_US, from_datetime
from fixtures.asked import naive
from fixtures.questions import questions


def instant(text):
    at = datetime.fromisoformat(text)
    return from_datetime(at if at.tzinfo else at.replace(tzinfo=UTC))


def keyed(rows, question):
    names = ["time"] * ("grain" in question) + question["dimensions"]
    found = {}
    for row in rows:
        key = tuple(row.pop(name) for name in names)
        if "grain" in question:
            at = key[0] if isinstance(key[0], str) else key[0].isoformat()
            key = (instant(at), *key[1:])
        assert key not in found
        found[key] = row
    return found


def csv_rows(body, meta):
    types = {"integer": pa.int64(), "number": pa.float64(), "text": pa.string(), "time": pa.string()}
    options = pa_csv.ConvertOptions(
        column_types={each["name"]: types[each["type"]] for each in meta["columns"]},
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        null_values=[""],
    )
    parsing = pa_csv.ParseOptions(newlines_in_values=True)
    return pa_csv.read_csv(io.BytesIO(body), convert_options=options, parse_options=parsing).to_pylist()


READERS = {
    "text/csv": csv_rows,
    "application/x-ndjson": lambda body, _: [json.loads(line) for line in body.split(b"\n") if line],
    "application/vnd.apache.parquet": lambda body, _: pq.read_table(io.BytesIO(body)).to_pylist(),
    "application/vnd.apache.arrow.stream": lambda body, _: pa.ipc.open_stream(body).read_all().to_pylist(),
}


def interval_of(meta, name="interval"):
    return instant(meta[name]["start"]), instant(meta[name]["end"])


@settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
@given(question=questions())
def test_any_question_equals_a_naive_count(asked, question):
    zone = ZoneInfo("UTC" if question["stream"] == "playlogs" else question["timezone"])
    body = asked.post(question).json()
    meta = body["meta"]
    right = naive(asked.rows[question["stream"]], question, interval_of(meta), zone)
    assert keyed(body["rows"], question) == right, meta
    assert all(each.get("exact", True) for each in meta["columns"])
    for accept, read in READERS.items():
        answer = asked.post(question, accept)
        assert answer.headers["content-type"].startswith(accept)
        assert answer.headers["airtally-rows"] == str(len(right))
        assert keyed(read(answer.content, meta), question) == right, accept


@settings(max_examples=25, suppress_health_check=list(HealthCheck), deadline=None)
@given(question=questions(), limit=st.integers(1, 7), data=st.data())
def test_pages_are_the_whole_answer_in_order(asked, question, limit, data):
    names = ["time"] * ("grain" in question) + question["dimensions"] + [each["name"] for each in question["metrics"]]
    keys = data.draw(st.lists(st.sampled_from(names), unique=True, max_size=2))
    order = [name if data.draw(st.booleans()) else f"-{name}" for name in keys]
    whole = asked.post(question | {"order": order}).json()["rows"]
    most = 20 * limit
    assert pages_of(asked, question | {"order": order}, limit, most) == whole[:most]
    assert whole == in_order(whole, order)


def pages_of(asked, question, limit, most):
    """The rows of the first pages, up to `most`."""
    rows, cursor = [], None
    while len(rows) < most:
        page = asked.post(question | {"limit": limit, "cursor": cursor}).json()
        rows += page["rows"]
        cursor = page["next"]
        if cursor is None:
            break
        assert len(page["rows"]) == limit
    return rows[:most]


def in_order(rows, order):
    for text in reversed(order):
        name = text.removeprefix("-")
        key = (lambda row: instant(row[name])) if name == "time" else (lambda row: row[name])  # noqa: B023
        held = sorted((row for row in rows if row[name] is not None), key=key, reverse=text.startswith("-"))
        rows = held + [row for row in rows if row[name] is None]
    return rows


@settings(max_examples=25, suppress_health_check=list(HealthCheck), deadline=None)
@given(question=questions(), data=st.data())
def test_a_comparison_has_the_figures_of_both_intervals_also_in_pages(asked, question, data):
    question = {name: value for name, value in question.items() if name != "grain"}
    if question["range"] == "last month":
        question["range"] = "today"
    zone = ZoneInfo("UTC" if question["stream"] == "playlogs" else question["timezone"])
    answer = asked.post(question | {"compare": "previous_period"}).json()
    rows = asked.rows[question["stream"]]
    now = naive(rows, question, interval_of(answer["meta"]), zone)
    before = naive(rows, question, interval_of(answer["meta"], "previous_interval"), zone)
    assert interval_of(answer["meta"], "previous_interval")[1] == interval_of(answer["meta"])[0]
    found = keyed(answer["rows"], question)
    assert found.keys() == now.keys() | before.keys()
    nothing = naive([], question | {"dimensions": []}, (0, 0), zone)[()]
    names = [
        *question["dimensions"],
        *(f"{each['name']}{end}" for each in question["metrics"] for end in ("", "_previous")),
    ]
    order = [data.draw(st.sampled_from(("", "-"))) + data.draw(st.sampled_from(names))]
    paged = question | {"compare": "previous_period", "order": order}
    assert pages_of(asked, paged, data.draw(st.integers(3, 9)), 20) == asked.post(paged).json()["rows"][:20]
    for key, row in found.items():
        earlier = {f"{name}_previous": value for name, value in before.get(key, nothing).items()}
        assert row == now.get(key, nothing) | earlier


def test_days_of_25_hours_meet_those_before_by_their_position(asked):
    question = {"stream": "app_events", "range": "2026-11-01", "grain": "day", "compare": "previous_period"}
    (row,) = asked.post(question | {"timezone": "America/New_York"}).json()["rows"]
    start = instant("2026-11-01T00:00:00-04:00")
    counted = [
        sum(start + a <= each["_at"] < start + b for each in asked.rows["app_events"])
        for a, b in ((0, 25 * HOUR_US), (-DAY_US, 0))
    ]
    assert row == {"time": "2026-11-01T00:00:00-04:00", "count": counted[0], "count_previous": counted[1]}
    assert all(counted)


@pytest.mark.parametrize(
    ("more", "source"),
    [
        ({"grain": "day"}, "segments"),
        ({"grain": "minute", "order": ["-m1"]}, "segments"),
        ({"filter": {"column": "viewers", "op": "ge", "value": 10}}, "rows"),
    ],
)
def test_the_same_figures_come_from_segments_and_from_rows(asked, more, source):
    """Else the questions above would prove half."""
    figures = [("count", None), ("mean", "viewers"), ("min", "viewers"), ("sum", "viewers")]
    metrics = [{"function": f, "name": f"m{n}"} | ({"column": c} if c else {}) for n, (f, c) in enumerate(figures)]
    question = {"stream": "viewer_samples", "metrics": metrics, "dimensions": ["app", "server"], "filter": {}}
    question |= {"range": "last 3 days", "timezone": "UTC"} | more
    answer = asked.post(question).json()
    assert answer["meta"]["answered_from"] == [source]
    assert answer["meta"]["rows_read"] > 0
    right = naive(asked.rows["viewer_samples"], question, interval_of(answer["meta"]), ZoneInfo("UTC"))
    assert keyed(answer["rows"], question) == right
