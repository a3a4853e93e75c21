"""Any question equals a naive count over the rows: in three zones, from segments and from rows, in all formats."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from itertools import product
from random import Random
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airtally.accounts.keys import KeyOptions
from airtally.kit.clock import MovableClock
from airtally.kit.quality import rfc3339
from airtally.kit.time import DAY_US, HOUR_US, MINUTE_US, from_datetime
from airtally.settings import Settings
from airtally.streams import APP_EVENTS, PLAYLOGS, VIEWER_SAMPLES
from fixtures.accounts import NOW_US
from fixtures.asked import naive
from fixtures.rollups import RollupHome
from fixtures.server import LiveServer

#: New York's clocks go back on the first of November; Kathmandu is 5:45 from UTC.
ZONES = ["UTC", "America/New_York", "Asia/Kathmandu"]
TODAY = NOW_US // DAY_US * DAY_US
PLANS, TEXTS = ["free", "pro", "Über", ""], ["a", "b", "", 'ü,"x"\n']


def made_rows(random):
    """Two days and a half before now, a third of them around the hour that New York has twice."""

    def at():
        if random.random() < 0.3:
            return TODAY - DAY_US + 5 * HOUR_US + random.randrange(180) * MINUTE_US
        return TODAY - 2 * DAY_US + random.randrange(54 * 60) * MINUTE_US

    def attributes():
        held = {
            "plan": random.choice(PLANS),
            "level": random.choice([0, 1, -7]),
            "price": random.choice([0.5, 2.5, 1000.25]),
            "rank": random.choice(["3", "x", "10", "-0.5"]),
            "paid": random.random() < 0.5,
        }
        return {name: value for name, value in held.items() if random.random() < 0.7}

    events = [
        {
            "application": random.choice("AB"),
            "event": random.choice(TEXTS[:2]),
            "count": random.choice([0, 1, 5]),
            "at": at(),
        }
        | ({} if random.random() < 0.3 else {"attributes": attributes()})
        | ({} if random.random() < 0.3 else {"user_id": random.choice("uvwxyz")})
        for _ in range(300)
    ]
    samples = [
        {"app": app, "video_url": url, "server": server, "viewers": random.randrange(50), "at": minute}
        for app, url, server, minute in product("pq", ["v", 'ü,"x"\n'], ["", "s"], sorted({at() for _ in range(40)}))
    ]
    plays = [
        {"player_id": random.randrange(4), "media_id": random.randrange(3), "at": at()}
        | ({} if random.random() < 0.3 else {"duration_seconds": random.randrange(100) / 4})
        for _ in range(200)
    ]
    return {"app_events": ("time", events), "viewer_samples": ("time", samples), "playlogs": ("played_at", plays)}


class Asked:
    """A client of a server on a home whose first rows are in segments, and the rows as Python has them."""

    def __init__(self, server, rows, account):
        import httpx

        key = server.services.access.keys.create(account, "native", KeyOptions(scopes=frozenset({"read"})))
        self.rows = {
            name: [{k: v for k, v in row.items() if k != "at"} | {"_at": row["at"], time: row["at"]} for row in each]
            for name, (time, each) in rows.items()
        }
        for row in self.rows["playlogs"]:
            row |= {"type": "I", "ip": "0.0.0.0"}
        token = key.credentials["token"]
        self.http = httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {token}"}, timeout=60)

    def post(self, question, accept="application/json"):
        answer = self.http.post("/api/v1/query", json=question, headers={"Accept": accept})
        assert answer.status_code == 200, (question, answer.text)
        return answer


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    folder, rows = tmp_path_factory.mktemp("property") / "home", made_rows(Random(7))
    home = RollupHome(folder, MovableClock(NOW_US))
    acme = home.account("acme")
    for stream in (APP_EVENTS, VIEWER_SAMPLES, PLAYLOGS):
        time, each = rows[stream.name]
        sent = [{k: v for k, v in row.items() if k != "at"} | {"time": row["at"]} for row in each]
        if time == "time":
            home.send(stream, acme, sent)
    home.flush()
    for stream in (APP_EVENTS, VIEWER_SAMPLES):
        home.rebuild(stream)
    home.close()
    server = LiveServer(Settings(home=folder, rate_limits=False), home.clock).start()
    account = server.services.access.accounts.by_slug("acme")
    client = Asked(server, rows, account)
    write = server.services.access.keys.create(account, "native", KeyOptions(scopes=frozenset({"write"})))
    late = [
        {k: v for k, v in row.items() if k != "at"} | {"played_at": rfc3339(row["at"])[:19]}
        for row in rows["playlogs"][1]
    ]
    sent = client.http.post(
        "/api/v1/streams/playlogs/events", json=late, headers={"Authorization": f"Bearer {write.credentials['token']}"}
    )
    assert sent.json()["rejected"] == 0, sent.text
    yield client
    client.http.close()
    server.stop()


SUBJECTS = {
    "app_events": {
        "application": ["A", "B"],
        "event": TEXTS,
        "user_id": ["u", "x"],
        "count": [0, 1, 5],
        "attributes.plan": PLANS,
        "attributes.level": [0, 1, 0.5, "1", "x"],
        "attributes.price": [0.5, 1, 3, "2.5"],
        "attributes.rank": [3, 4.5, "3", "x", -1],
        "attributes.paid": [True, False, "true"],
        "attributes.none": ["x", 1],
    },
    "viewer_samples": {"app": ["p", "q"], "video_url": ["v", 'ü,"x"\n'], "server": ["", "s"], "viewers": [0, 10, 49]},
    "playlogs": {"player_id": [0, 1, 2], "media_id": [0, 1], "duration_seconds": [0.25, 12.5], "type": ["I"]},
}
MEASURES = {
    "app_events": ["count", "attributes.price", "attributes.rank", "attributes.paid"],
    "viewer_samples": ["viewers"],
    "playlogs": ["duration_seconds", "media_id"],
}


def conditions(stream):
    def condition(name):
        values = st.sampled_from(SUBJECTS[stream][name])
        ops = ["eq", "ne"]
        if not name.endswith("paid"):
            ops += ["lt", "le", "gt", "ge"]
        leaf = st.fixed_dictionaries({"column": st.just(name), "op": st.sampled_from(ops), "value": values})
        several = st.fixed_dictionaries(
            {"column": st.just(name), "op": st.just("in"), "value": st.lists(values, max_size=3)}
        )
        null = st.just({"column": name, "op": "is_null"})
        kinds = [
            leaf,
            several,
            null,
            values.map(lambda value: {name: value}),
            st.lists(values).map(lambda each: {name: each}),
        ]
        if all(isinstance(each, str) for each in SUBJECTS[stream][name]):
            patterns = st.sampled_from(["*", "", "p*", "*r*", "*,*x*", "ü*", "?", "*ee"])
            kinds.append(st.fixed_dictionaries({"column": st.just(name), "op": st.just("like"), "value": patterns}))
        return st.one_of(kinds)

    return st.sampled_from(sorted(SUBJECTS[stream])).flatmap(condition)


def filters(stream):
    def joined(below):
        parts = st.lists(below, max_size=3)
        return st.one_of(
            below.map(lambda f: {"not": f}), parts.map(lambda f: {"and": f}), parts.map(lambda f: {"or": f})
        )

    return st.one_of(st.just({}), st.recursive(conditions(stream), joined, max_leaves=5))


def metrics(stream):
    figures = [{"function": "count"}]
    figures += [{"function": f, "column": c} for f in ("sum", "min", "max", "mean") for c in MEASURES[stream]]
    figures += [{"function": "distinct", "column": c} for c in sorted(SUBJECTS[stream])]
    found = st.lists(st.sampled_from(figures), min_size=1, max_size=4)
    return found.map(lambda each: [metric | {"name": f"m{n}"} for n, metric in enumerate(each)])


@st.composite
def questions(draw):
    stream = draw(st.sampled_from(sorted(SUBJECTS)))
    question = {
        "stream": stream,
        "metrics": draw(metrics(stream)),
        "dimensions": draw(st.lists(st.sampled_from(sorted(SUBJECTS[stream])), unique=True, max_size=3)),
        "filter": draw(filters(stream)),
        "timezone": draw(st.sampled_from(ZONES)),
        "range": draw(
            st.sampled_from(
                ["last 3 days", "yesterday", "today", "last 50 hours", "this week", "last month", "2026-11-01"]
            )
        ),
    }
    if grain := draw(st.sampled_from([None, "minute", "15 minutes", "hour", "day", "week", "month"])):
        question["grain"] = grain
    return question


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
    assert pages_of(asked, paged, data.draw(st.integers(1, 9)), 60) == asked.post(paged).json()["rows"][:60]
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
