"""Answers from maps equal those of the engine, in whatever form they are asked for; what is not for maps is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

import pytest

from airtally.kit import metrics
from airtally.kit.clock import MovableClock
from airtally.kit.paging import SortKey
from airtally.kit.time import DAY_US, HOUR_US, SECOND_US, day_start_us
from airtally.query.buckets import Bucket, Step
from airtally.query.page import AnswerPage, Ratio
from airtally.query.question import BUCKET, Dimension, Function, Metric, Question
from airtally.sql.filters import AllOf, AnyOf, Contains, Equals, IsNull, Like, Not, OneOf
from airtally.streams import AD_EVENTS, VIEWER_SAMPLES
from fixtures.rollups import RollupHome

START = day_start_us(date(2026, 10, 24))
DAYS = 12
COUNTS = (
    Metric("samples"),
    Metric("sum", Function.SUM, "viewers"),
    Metric("least", Function.MIN, "viewers"),
    Metric("most", Function.MAX, "viewers"),
)
STREAM = Question(
    VIEWER_SAMPLES, "acme", COUNTS, (Dimension("app"), Dimension("video_url", "url")), start_us=START,
    end_us=START + DAYS * DAY_US, bucket=Bucket.HOUR,
)  # fmt: skip
BY_SERVER = replace(STREAM, dimensions=(Dimension("server"),), bucket=Bucket.NONE)
MEAN = AnswerPage(("server", "mean"), (SortKey("mean", descending=True), SortKey("server")), (Ratio("mean", "sum", "samples"),), limit=2)  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = RollupHome(tmp_path_factory.mktemp("mapped"), MovableClock(START + DAYS * DAY_US))
    account = home.account("acme")
    home.send(
        VIEWER_SAMPLES,
        account,
        [
            {"app": f"a{n % 3}", "video_url": f"v{n % 5}", "server": ("", "s1", "é")[n % 7 % 3], "time": START + n * 7 * HOUR_US + n * 60 * SECOND_US, "viewers": n * n % 97}
            for n in range(41)
        ],
    )  # fmt: skip
    home.flush()
    home.rebuild(VIEWER_SAMPLES)
    home.send(VIEWER_SAMPLES, account, [{"app": "a1", "video_url": "late", "server": "s1", "time": START + DAYS * DAY_US - HOUR_US, "viewers": 5}])  # fmt: skip
    home.acme = account
    yield home
    home.close()


def answers(stream=VIEWER_SAMPLES) -> float:
    return metrics.MAPPED_ANSWERS.labels(stream.name)._value.get()


QUESTIONS = {
    "by hour": STREAM,
    "by minute": replace(STREAM, bucket=Bucket.MINUTE),
    "by day of a zone": replace(STREAM, bucket=Bucket.DAY, zone=ZoneInfo("America/New_York")),
    "by week of another": replace(STREAM, bucket=Bucket.WEEK, zone=ZoneInfo("Asia/Kathmandu")),
    "odd steps": replace(STREAM, bucket=Step(5 * HOUR_US)),
    "one part of a day": replace(STREAM, start_us=START + 5 * HOUR_US, end_us=START + 13 * HOUR_US),
    "in all": replace(STREAM, dimensions=(), bucket=Bucket.NONE),
    "in all, of nothing": replace(STREAM, dimensions=(), bucket=Bucket.NONE, where=Equals("app", "none")),
    "by nothing that there is": replace(STREAM, where=Equals("app", "none")),
    "a dimension twice": replace(STREAM, dimensions=(Dimension("app"), Dimension("app", "again"))),
    "apps": replace(STREAM, where=AllOf((OneOf("app", ("a0", "a2")), Not(Equals("server", "s1"))))),
    "neighbouring apps, then a stream": replace(STREAM, where=AllOf((OneOf("app", ("a0", "a1")), Equals("video_url", "v1")))),
    "all apps, then streams": replace(STREAM, where=AllOf((OneOf("app", ("a0", "a1", "a2")), OneOf("video_url", ("v0", "v3"))))),
    "of a stream": replace(STREAM, where=AllOf((Equals("app", "a1"), OneOf("video_url", ("v1", "late"))))),
    "patterns": replace(STREAM, where=AllOf((OneOf("app", ("a0", "a1")), AnyOf((Like("video_url", "*t*"), Like("server", "")))))),
    "nulls": replace(STREAM, where=Not(IsNull("server"))),
    "a page": replace(BY_SERVER, page=MEAN),
    "the next page": replace(BY_SERVER, page=replace(MEAN, after=(40.0, "s1"))),
    "the last page": replace(BY_SERVER, page=replace(MEAN, last=True)),
    "a page of nothing": replace(BY_SERVER, dimensions=(), where=Equals("app", "none"), page=AnswerPage(("sum", "least"))),
    "pages of buckets": replace(STREAM, page=AnswerPage((BUCKET, "app", "url", "sum"), (SortKey("app"), SortKey(BUCKET, descending=True), SortKey("url")), limit=9, after=("a1", START + 5 * DAY_US, "v0"))),
}  # fmt: skip


@pytest.mark.parametrize("name", QUESTIONS)
def test_answers_are_those_of_the_engine(home, name):
    question = QUESTIONS[name]
    before = answers()
    found = home.services.queries.answer(question).table
    assert answers() == before + 1
    engine = home.services.queries.answering.ask(home.services.queries.prepare(question)).table
    assert found.schema.types == engine.schema.types
    assert found.column_names == engine.column_names
    assert in_order(question, found) == in_order(question, engine)


def in_order(question: Question, table) -> list[tuple[object, ...]]:
    rows = [tuple(row.values()) for row in table.to_pylist()]
    return rows if question.page is not None and question.page.order else sorted(rows, key=repr)


@pytest.mark.parametrize(
    "question",
    [
        replace(STREAM, where=Contains("video_url", "V", fold_case=True)),
        replace(STREAM, where=Equals("viewers", 3)),
        replace(STREAM, metrics=(Metric("servers", Function.DISTINCT, "server"),)),
        replace(STREAM, as_received=True),
        replace(STREAM, start_us=START + 30 * SECOND_US, bucket=Step(7 * SECOND_US), end_us=START + DAY_US),
    ],
    ids=["text inside a text", "a column of rows", "distinct", "as received", "cut cells"],
)
def test_what_is_not_for_maps_is_answered_by_the_engine(home, question):
    before = answers()
    home.services.queries.answer(question)
    assert answers() == before


def test_a_sum_that_may_leave_64_bits_is_answered_by_the_engine(home):
    most = (1 << 63) - 1
    rows = [{"ad_group_id": "g", "time": START + n, "kind": "paid_click", "count": most} for n in range(2)]
    home.send(AD_EVENTS, home.acme, rows)
    home.flush()
    home.rebuild(AD_EVENTS)
    question = Question(AD_EVENTS, "acme", (Metric("n", Function.SUM, "count", Equals("kind", "paid_click")), Metric("events")), start_us=START, end_us=START + DAY_US)  # fmt: skip
    before = answers(AD_EVENTS)
    assert [int(row["n"]) for row in home.ask(question)] == [2 * most]
    assert answers(AD_EVENTS) == before
    assert home.ask(replace(question, metrics=question.metrics[1:])) == [{"events": 2}]
    assert answers(AD_EVENTS) == before + 1
