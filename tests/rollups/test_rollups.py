"""Whatever comes in whatever order, and whenever segments are built in between: answers equal a naive count."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from airtally.kit.clock import MovableClock
from airtally.kit.time import DAY_US, SECOND_US, day_start_us
from airtally.query.buckets import Bucket, Step
from airtally.query.question import Dimension, Function, Metric, Question
from airtally.rollups.rebuild import EAGER
from airtally.sql.filters import EVERYTHING, Equals, OneOf
from airtally.streams import AD_EVENTS, APP_EVENTS, VIEWER_SAMPLES
from fixtures.rollups import FEW, RollupHome

START = day_start_us(date(2026, 10, 30))
QUARTER = 900 * SECOND_US
DAYS = 5

AD_METRICS = (
    Metric("clicks", Function.SUM, "count", Equals("kind", "paid_click")),
    Metric("spend", Function.SUM, "spend"),
    Metric("events"),
)
VIEWER_METRICS = (
    Metric("samples"),
    Metric("sum", Function.SUM, "viewers"),
    Metric("min", Function.MIN, "viewers"),
    Metric("max", Function.MAX, "viewers"),
)

moments = st.integers(0, DAYS * 96 - 1).map(lambda quarter: START + quarter * QUARTER + 7 * SECOND_US)
ids = st.none() | st.sampled_from(["a", "b", "c"])
ad_events = st.fixed_dictionaries(
    {
        "ad_group_id": st.sampled_from(["g1", "G1", "g2"]),
        "time": moments,
        "id": ids,
        "kind": st.sampled_from(["paid_click", "install"]),
        "country": st.sampled_from(["US", "ZZ"]),
        "count": st.integers(0, 3),
        "spend": st.sampled_from([None, "1.5", "-0.000001"]),
    }
)
samples = st.fixed_dictionaries(
    {
        "app": st.sampled_from(["one", "two"]),
        "video_url": st.just("v"),
        "server": st.sampled_from(["s1", "s2"]),
        "time": moments,
        "viewers": st.integers(0, 9),
    }
)
app_events = st.fixed_dictionaries(
    {"application": st.just("A"), "event": st.sampled_from(["x", "y"]), "time": moments, "id": ids}
)
STREAMS = {AD_EVENTS: ad_events, VIEWER_SAMPLES: samples, APP_EVENTS: app_events}
WORK = ("flush", "compact", "rebuild", "rebuild few", "restart")


def steps(rows: Any) -> Any:
    sent = st.tuples(st.sampled_from(["acme", "rival"]), st.lists(rows, min_size=1, max_size=8))
    return st.lists(sent | st.sampled_from(WORK), min_size=3, max_size=14)


def play(home: RollupHome, stream: Any, accounts: Any, plan: Any) -> dict[str, list[dict[str, Any]]]:
    """Do the steps; what was sent to each account, in order."""
    sent = defaultdict(list)
    for step in plan:
        home.clock.advance(1)
        match step:
            case "flush":
                home.flush()
            case "compact":
                home.compact(stream)
            case "rebuild":
                home.rebuild(stream)
            case "rebuild few":
                home.rebuild(stream, FEW)
            case "restart":
                home.restart()
            case slug, rows:
                home.send(stream, accounts[slug], rows)
                sent[slug] += rows
    return sent


def counted_once(stream: Any, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each event as last sent, with what is left out filled in."""
    found: dict[Any, dict[str, Any]] = {}
    for number, row in enumerate(rows):
        time = row["time"] // (60 * SECOND_US) * 60 * SECOND_US if stream is VIEWER_SAMPLES else row["time"]
        whole = {"count": 1} | row | {"time": time}
        key = tuple(whole[name] for name in stream.identity)
        found[number if None in key else (*key, time // DAY_US)] = whole
    return list(found.values())


def naive(question: Question, rows: list[dict[str, Any]]) -> dict[Any, tuple[Any, ...]]:
    groups = defaultdict(list)
    for row in rows:
        if question.start_us <= row["time"] < question.end_us and meets(question.where, row):
            groups[bucket(question, row["time"]), *(folded(row, d.column) for d in question.dimensions)].append(row)
    return {key: tuple(figure(metric, group) for metric in question.metrics) for key, group in groups.items()}


def bucket(question: Question, at: int) -> int:
    if isinstance(question.bucket, Step):
        return question.start_us + (at - question.start_us) // question.bucket.length_us * question.bucket.length_us
    length = {Bucket.HOUR: 3600 * SECOND_US, Bucket.DAY: DAY_US, Bucket.MINUTE: 60 * SECOND_US}[question.bucket]
    return at // length * length


def folded(row: dict[str, Any], name: str) -> Any:
    return row[name].lower() if name == "ad_group_id" else row[name]


def meets(where: Any, row: dict[str, Any]) -> bool:
    if where == EVERYTHING:
        return True
    values = where.values if isinstance(where, OneOf) else (where.value,)
    return folded(row, where.column) in {value.lower() if where.column == "ad_group_id" else value for value in values}


def figure(metric: Metric, rows: list[dict[str, Any]]) -> Any:
    rows = [row for row in rows if meets(metric.where, row)]
    if metric.function is Function.COUNT:
        return len(rows)
    values = [row[metric.column] for row in rows if row[metric.column] is not None]
    if metric.column == "spend":
        values = [round(float(value) * 1_000_000) for value in values]
    return {"sum": sum, "min": min, "max": max}[metric.function](values)


def answered(question: Question, rows: list[dict[str, Any]]) -> dict[Any, tuple[Any, ...]]:
    labels = ["bucket", *(dimension.label for dimension in question.dimensions)]
    return {tuple(row[label] for label in labels): tuple(row[m.name] for m in question.metrics) for row in rows}


intervals = st.tuples(st.integers(-8, DAYS * 96), st.integers(1, DAYS * 96)).map(
    lambda pair: (START + pair[0] * QUARTER, START + (pair[0] + pair[1]) * QUARTER)
)
buckets = st.sampled_from([Bucket.HOUR, Bucket.DAY, Step(3600 * SECOND_US), Step(DAY_US)])
QUESTIONS = {
    AD_EVENTS: (
        AD_METRICS,
        st.sampled_from([(), (Dimension("country"),), (Dimension("ad_group_id"), Dimension("country"))]),
        st.sampled_from([EVERYTHING, Equals("ad_group_id", "G1"), OneOf("ad_group_id", ("g2", "x"))]),
    ),
    VIEWER_SAMPLES: (
        VIEWER_METRICS,
        st.sampled_from([(), (Dimension("app"),), (Dimension("app"), Dimension("video_url"))]),
        st.sampled_from([EVERYTHING, Equals("server", "s1"), OneOf("app", ("one",))]),
    ),
    APP_EVENTS: (
        (Metric("triggers", Function.SUM, "count"), Metric("events")),
        st.sampled_from([(), (Dimension("event"),)]),
        st.sampled_from([EVERYTHING, Equals("event", "x")]),
    ),
}


@st.composite
def stories(draw: Any) -> Any:
    stream = draw(st.sampled_from(list(STREAMS)))
    metrics, dimensions, where = QUESTIONS[stream]
    asked = draw(st.lists(st.tuples(dimensions, where, intervals, buckets), min_size=1, max_size=4))
    questions = [
        Question(stream, slug, metrics, dims, condition, start_us=start, end_us=end, bucket=length)
        for dims, condition, (start, end), length in asked
        for slug in ("acme", "rival")
    ]
    return stream, draw(steps(STREAMS[stream])), questions


#: Without shrinking: a story takes half a second.
_SETTINGS = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "phases": (Phase.explicit, Phase.reuse, Phase.generate),
}


@settings(max_examples=20, **_SETTINGS)
@given(stories())
def test_answers_equal_a_naive_count(story: Any) -> None:
    check(*story)


@pytest.mark.slow
@pytest.mark.timeout(900)
@settings(max_examples=120, **_SETTINGS)
@given(stories())
def test_many_answers_equal_a_naive_count(story: Any) -> None:
    check(*story)


def check(stream: Any, plan: Any, questions: list[Question]) -> None:
    """By maps of segments, by segments and rows, and by rows alone; then again with all segments built."""
    with tempfile.TemporaryDirectory() as folder:
        home = RollupHome(Path(folder), MovableClock(START + DAYS * DAY_US))
        with closing(home):
            accounts = {slug: home.account(slug) for slug in ("acme", "rival")}
            sent = play(home, stream, accounts, plan)
            for _ in range(2):
                for question in questions:
                    expected = naive(question, counted_once(stream, sent[question.account]))
                    assert answered(question, home.ask(question)) == expected
                    assert answered(question, home.ask_engine(question)) == expected
                    assert answered(question, home.ask_rows(question)) == expected
                home.flush()
                home.rebuild(stream, EAGER)
