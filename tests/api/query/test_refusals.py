"""Questions that are wrong, huge or hostile: words, never a 500, a path or a long text again."""

from __future__ import annotations

import base64
import json
import time

import pytest

from airtally.api.query import limits

WEEK = {"stream": "app_events", "range": "last 7 days"}


def deep(levels, word="not"):
    tree = {"event": "x"}
    for _ in range(levels):
        tree = {word: tree if word == "not" else [tree]}
    return tree


def leaf(op, value=..., column="event"):
    return {"column": column, "op": op} | ({} if value is ... else {"value": value})


FILTERS = {
    "unknown op": leaf("matches", "x"),
    "an op of another type": leaf(["eq"], "x"),
    "no value": leaf("eq"),
    "a value too many": leaf("is_null", 1),
    "no column": {"op": "eq", "value": 1},
    "a column of another type": {"column": 5, "op": "eq", "value": 1},
    "an unknown key": leaf("eq", "x") | {"case": True},
    "an unknown column": leaf("eq", "x", "nosuch"),
    "a member of text": leaf("eq", "x", "event.plan"),
    "a member without a name": leaf("eq", "x", "attributes."),
    "a member with a long name": leaf("eq", "x", "attributes." + "m" * 257),
    "SQL as a member of text": leaf("eq", "x", "event'; DROP TABLE x; --.y"),
    "null": leaf("eq", None),
    "null among values": leaf("in", ["x", None]),
    "an object": leaf("eq", {"a": 1}),
    "in of one": leaf("in", "x"),
    "a truth for text": leaf("eq", True),
    "a truth in order": leaf("lt", True, "attributes.paid"),
    "an order of JSON": leaf("lt", "x", "attributes"),
    "half a number": leaf("gt", 1.5, "count"),
    "a text for a number": leaf("lt", "many", "count"),
    "a pattern for a number": leaf("like", "1*", "count"),
    "a pattern for JSON": leaf("like", "1*", "attributes"),
    "a number as pattern": leaf("like", 1),
    "a long pattern": leaf("like", "*a" * 129),
    "a time that is none": leaf("gt", "yesterday", "time"),
    "and beside another": {"and": [], "event": "x"},
    "two words": {"and": [], "or": []},
    "and of one": {"and": {"event": "x"}},
    "not of several": {"not": [{"event": "x"}]},
    "texts": {"or": ["event", "x"]},
    "too deep": deep(limits.MAX_DEPTH + 1),
    "far too deep": deep(90, "and"),
    "too many": {"or": [leaf("eq", "x")] * (limits.MAX_CONDITIONS + 1)},
    "400 digits": leaf("eq", 10**400, "attributes.level"),
    "5000 digits": leaf("eq", "9" * 5000, "count"),
}
WRONG = {
    "mean of text": {"metrics": ["mean(event)"]},
    "mean of nothing": {"metrics": ["mean"]},
    "sum of JSON": {"metrics": ["sum(attributes)"]},
    "count of a column": {"metrics": ["count(event)"]},
    "no metric": {"metrics": ["sum(count"]},
    "a call in a call": {"metrics": ["sum(sum(count))"]},
    "SQL as metric": {"metrics": ["count(*) FROM x; --"]},
    "a name without end": {"metrics": ["count as " + "n" * 10_000]},
    "two of one name": {"metrics": ["count as a", "sum(count) as a"]},
    "the name of time": {"metrics": ["count as time"], "grain": "day"},
    "the dimension time": {"dimensions": ["time"], "grain": "day"},
    "a name of ours": {"metrics": ["count as rows read"]},
    "the name of a mean's sum": {"metrics": ["count as sum of m", "mean(count) as m"]},
    "a dimension twice": {"dimensions": ["event", "event"]},
    "the name that a comparison has": {"metrics": ["count as a", "count as a_previous"], "compare": "previous_year"},
    "two ways of time": {"start": "2026-10-01T00:00:00Z"},
    "bucket and grain": {"bucket": "day", "grain": "day"},
    "an unknown grain": {"grain": "quarter"},
    "no range": {"range": "fortnight"},
    "no days": {"range": "last 0 days"},
    "very many days": {"range": "last 999999 days"},
    "a range before time": {"range": "1960"},
    "a range after time": {"range": "2500-01"},
    "no date": {"range": "2026-02-30"},
    "a range that ends first": {"range": "2026-02 to 2026-01"},
    "a long range": {"range": "x" * 100_000},
    "an unknown comparison": {"compare": "yesterday"},
    "a comparison before time": {"range": "1969", "compare": "previous_year"},
    "a comparison with a cursor of nonsense": {"compare": "previous_year", "cursor": "x"},
    "an order of nothing": {"order": ["nosuch"]},
    "an order twice": {"order": ["count", "-count"]},
    "limit 0": {"limit": 0},
    "a limit that is too large": {"limit": limits.MAX_ROWS + 1},
    "half a limit": {"limit": 1.5},
    "no cursor": {"cursor": ""},
    "a cursor of nonsense": {"cursor": "ä" * 100},
    "a cursor of other JSON": {"cursor": base64.urlsafe_b64encode(b'{"a": 1}').decode()},
    "a cursor of another question": {"cursor": base64.urlsafe_b64encode(b'["x", null, null, []]').decode()},
    "a very long cursor": {"cursor": "A" * (1 << 20)},
    "an unknown format": {"format": "xlsx"},
}
QUESTIONS = {name: WEEK | each for name, each in WRONG.items()} | {
    name: WEEK | {"filter": each} for name, each in FILTERS.items()
}
QUESTIONS["a comparison without end"] = {"stream": "app_events", "compare": "previous_year"}
QUESTIONS["an interval that ends first"] = {
    "stream": "app_events",
    "start": "2026-10-02T00:00:00Z",
    "end": "2026-10-01T23:59:59Z",
}
QUESTIONS["a grain without end"] = {"stream": "app_events", "grain": "day", "start": "2026-10-01T00:00:00Z"}


@pytest.mark.parametrize("case", QUESTIONS)
def test_a_question_that_cannot_be_asked(client, case):
    started = time.process_time()
    answer = client.http.post("/api/v1/query", content=json.dumps(QUESTIONS[case]))
    assert (answer.status_code, answer.json()["code"]) == (422, "unprocessable"), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].startswith("The query is invalid: ")
    assert len(answer.text) < 800
    assert time.process_time() - started < 5


def test_what_is_just_small_enough(client):
    few = [{"or": [leaf("eq", "x")] * limits.MAX_CONDITIONS}, deep(limits.MAX_DEPTH), leaf("like", "*a" * 128)]
    few.append(leaf("in", [f"{n}" for n in range(100_000)]))
    few.append(leaf("in", [*range(1000), "x", True], "attributes.level"))
    for tree in few:
        assert client.ask(**WEEK, filter=tree).status_code == 200


@pytest.mark.parametrize("limit", [1, 3])
def test_a_cursor_with_other_values_is_refused_or_answers(client, limit):
    rows = [{"application": "A", "event": f"e{n}", "time": "2026-11-01T08:00:00Z"} for n in range(5)]
    assert client.send("app_events", rows).json()["accepted"] == 5
    asked = WEEK | {"dimensions": ["event"], "order": ["-count"], "limit": limit}
    first = client.ask(**asked).json()
    question, start, end, after = json.loads(base64.urlsafe_b64decode(first["next"] + "=="))
    for forged in ([], [1], [*after, 1], ["x", "x"], [1, 1], [True, "x"], [1 << 127, "e"], [1.5, "e"]):
        cursor = base64.urlsafe_b64encode(json.dumps([question, start, end, forged]).encode()).decode()
        assert client.ask(**asked, cursor=cursor).status_code == 422, forged
    for allowed in ([1 << 100, "e"], [None, "e"], [0, None], [-5, "'; DROP"]):
        cursor = base64.urlsafe_b64encode(json.dumps([question, start, end, allowed]).encode()).decode()
        assert client.ask(**asked, cursor=cursor).status_code == 200, allowed
    assert client.ask(**asked | {"order": []}, cursor=first["next"]).status_code == 422


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 422),
        ("stream=playlogs&stream=medias", 422),
        ("stream=playlogs&surprise=1", 422),
        ("stream=playlogs&limit=x", 422),
        ("stream=playlogs&limit=", 422),
        ("stream=playlogs&filter=player_id", 422),
        ("stream=playlogs&filter=" + "[" * 5000, 422),
        ("stream=playlogs&filter=[]", 422),
        ("stream=playlogs&metrics=[1]", 422),
        ("stream=%ff", 400),
        ("&".join(f"a{n}=1" for n in range(300)), 400),
        ("stream=nosuch", 404),
        ("stream=playlogs&dimensions=&metrics=count,%20sum(media_id)%20as%20m", 200),
        ('stream=playlogs&dimensions=["player_id"]&filter={"player_id":[1,2]}&order=-count,player_id', 200),
    ],
)
def test_links(client, query, status):
    answer = client.http.get(f"/api/v1/query?{query}")
    assert answer.status_code == status, answer.text
    if status != 200:
        assert answer.headers["content-type"] == "application/problem+json"
        assert len(answer.text) < 800


def test_more_rows_than_an_answer_has_come_page_by_page(client, monkeypatch):
    monkeypatch.setattr(limits, "MAX_ROWS", 4)
    rows = [{"application": "A", "event": f"e{n}", "time": "2026-11-01T08:00:00Z"} for n in range(9)]
    assert client.send("app_events", rows).json()["accepted"] == 9
    asked = WEEK | {"dimensions": ["event"]}
    whole = client.ask(**asked)
    assert (whole.status_code, whole.headers["Location"]) == (202, f"/api/v1/exports/{whole.json()['id']}")
    link = client.http.get("/api/v1/query?stream=app_events&range=last+7+days&dimensions=event")
    assert (link.status_code, link.json()["code"]) == (422, "limit_exceeded")
    assert "`limit`" in link.json()["hint"]
    found, cursor = [], None
    while page := client.ask(**asked, limit=4, cursor=cursor).json():
        found += [row["event"] for row in page["rows"]]
        if (cursor := page["next"]) is None:
            break
    assert found == [f"e{n}" for n in range(9)]
    compared = client.ask(**asked, compare="previous_period")
    assert (compared.status_code, compared.json()["code"]) == (422, "limit_exceeded")


def test_pages_of_a_relative_range_are_of_the_same_days(client):
    """The cursor of a page that was fetched on another day: its interval counts, not today's."""
    rows = [{"application": "A", "event": f"e{n}", "time": f"2026-11-0{n}T08:00:00Z"} for n in (1, 2)]
    assert client.send("app_events", rows).json()["accepted"] == 2
    asked = {"stream": "app_events", "range": "this month", "timezone": "UTC", "dimensions": ["event"], "limit": 1}
    first = client.ask(**asked).json()
    second = client.ask(**asked, cursor=first["next"]).json()
    assert [first["rows"], second["rows"], second["next"]] == [
        [{"event": "e1", "count": 1}],
        [{"event": "e2", "count": 1}],
        None,
    ]
    question, start, end, after = json.loads(base64.urlsafe_b64decode(first["next"] + "=="))
    days = 86_400_000_000
    earlier = base64.urlsafe_b64encode(
        json.dumps([question, start - 31 * days, end - 30 * days, after]).encode()
    ).decode()
    assert client.ask(**asked, cursor=earlier).json()["meta"]["interval"] == {
        "start": "2026-10-01T00:00:00+00:00",
        "end": "2026-11-01T00:00:00+00:00",
    }


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"metrics": ["plays"]}, "there is no function 'plays': expected one of count, sum, min, max, mean, distinct"),
        ({"metrics": [{"function": "plays"}]}, "expected one of count, sum, min, max, mean, distinct"),
        ({"grain": "fortnight"}, "expected one of minute, 15 minutes, hour, day, week, month"),
        ({"compare": "last_year"}, "expected one of previous_period, previous_year"),
        ({"format": "xml"}, "expected one of json, csv, ndjson, parquet, arrow"),
        ({"metrics": ["sum"]}, "sum needs a column"),
        ({"start": "2026-10-02T00:00:00Z", "end": "2026-10-01T00:00:00Z"}, "`start` lies after `end`"),
        ({"stream": "app_events", "metrics": ["min(attributes)"]}, "column attributes has no min"),
    ],
)
def test_a_refusal_says_what_was_expected_and_shows_no_python(client, asked, words):
    answer = client.http.post("/api/v1/query", json={"stream": "ad_events"} | asked)
    assert (answer.status_code, words in answer.json()["detail"]) == (422, True), answer.text


@pytest.mark.parametrize(
    "asked",
    [
        {"metrics": ["count as a", "sum(count) as A"]},
        {"metrics": ["count as COUNTRY"], "dimensions": ["country"], "limit": 1},
        {"metrics": ["count as ROWS READ"]},
        {"metrics": ["mean(count) as m", "count as Sum of m"]},
        {"metrics": ["mean(count) as m", "count as number OF m"]},
        {"metrics": ["count as Bucket"]},
    ],
)
def test_names_that_the_engine_does_not_tell_apart_are_refused(client, asked):
    """Those of a caller among each other, and against those that an answer is made with."""
    client.send("ad_events", [{"ad_group_id": "g", "time": "2026-10-01T00:00:00Z", "kind": "paid_click"}])
    answer = client.http.post("/api/v1/query", json={"stream": "ad_events"} | asked)
    assert (answer.status_code, "name" in answer.json()["detail"]) == (422, True), answer.text
