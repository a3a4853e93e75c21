"""Explore over HTTP: its figures against a naive count, its link as its whole state, and what is copied from it."""

from __future__ import annotations

import contextlib
import html
import io
import json
import os
import random
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo

import httpx
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airtally.accounts.permissions import UserRole
from airtally.console.explore.conditions import OPERATORS, FilterRow
from airtally.console.explore.moments import plain_moment, sent_moment
from airtally.console.explore.state import CHARTS, COMPARISONS, GRAINS, MATCHES, RANGES, ExploreState, read_state
from airtally.console.forms import FormFields
from airtally.settings import Settings
from fixtures.console import Browser
from fixtures.native import Native
from fixtures.server import LiveServer

PASSWORD = "correct horse"
PATH = "/accounts/acme/explore"
#: The clocks of Chatham go by 45 minutes, and are set forward at the end of September.
ZONE = "Pacific/Chatham"
FIRST = datetime(2026, 9, 24, tzinfo=UTC)
DAYS = 6
PLANS = ("free", "pro", "a.b", None)
#: Prices of each event: the first row of one tells of what type its members are.
PRICES: dict[str, list[object]] = {
    "open": [1, 3],
    "buy": [2.5, 0.25],
    "it's \"<b>": ["7", "free"],
    "quit": ["7"],
    "share": [4],
}
EVENTS = ("open", *PRICES)


def drawn_rows() -> list[dict[str, Any]]:
    """Events with members that are texts, numbers or missing."""
    draw = random.Random(7)
    rows = []
    for number in range(600):
        at, event, plan = (
            FIRST + timedelta(seconds=draw.randrange(DAYS * 86_400)),
            draw.choice(EVENTS),
            draw.choice(PLANS),
        )
        attributes = {"price": draw.choice(PRICES[event])} | ({"plan": plan, "$odd/~1": plan} if plan else {})
        row = {"application": "A", "event": event, "time": at.isoformat(), "id": str(number)}
        row |= {"count": draw.randrange(4), "attributes": attributes}
        rows.append(row if draw.random() < 0.8 else row | {"user_id": f"u{number % 5}"})
    return rows


ROWS = drawn_rows()


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Native]:
    server = LiveServer(Settings(home=tmp_path_factory.mktemp("explore"), rate_limits=False)).start()
    native = Native(server, "acme", timezone=ZONE)
    other = Native(server, "himal", timezone="UTC")
    for account in (native.account, other.account):
        server.services.access.users.create(
            account,
            username=account.slug,
            name=account.slug,
            email="a@example.org",
            password=PASSWORD,
            role=UserRole.VIEWER,
        )
    sent = native.send("app_events", b"".join(json.dumps(row).encode() + b"\n" for row in ROWS))
    assert sent.json()["accepted"] == len(ROWS), sent.text
    plays = [
        {"player_id": n % 7, "media_id": n % 3, "played_at": f"2026-09-2{n % 6 + 4}T0{n % 9}:30:00"} for n in range(90)
    ]
    assert native.send("playlogs", b"".join(json.dumps(row).encode() + b"\n" for row in plays)).json()["accepted"] == 90
    players = [{"player_id": n, "name": f"P{n % 2}", "last_update_time_utc": "2026-09-24T00:00:00Z"} for n in range(3)]
    assert native.send("players", players).json()["accepted"] == 3
    other.send("app_events", json.dumps({**ROWS[0], "event": "of-himal"}).encode())
    with contextlib.closing(native.http), contextlib.closing(other.http):
        yield native
    server.stop()


@pytest.fixture(scope="module")
def viewer(native: Native) -> Iterator[Browser]:
    with Browser(native.server, "acme") as browser:
        yield browser


def local(row: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(row["time"]).astimezone(ZoneInfo(ZONE))


def state(**fields: Any) -> ExploreState:
    asked = {"stream": "app_events", "zone": ZONE, "range": "2026-09-24 to 2026-09-29", **fields}
    return ExploreState(**asked)


def shown(viewer: Browser, asked: ExploreState) -> httpx.Response:
    page = viewer.get(f"{PATH}?{asked.query_string}")
    assert page.status_code == 200, page.text[-3000:]
    return page


def table(page: httpx.Response) -> list[list[str]]:
    body = page.text.partition("<tbody>")[2].partition("</tbody>")[0]
    return [
        [html.unescape(re.sub("<[^>]*>", "", cell)) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)]
        for row in re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
    ]


def charts(page: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(each) for each in re.findall(r'<script type="application/json">(.*?)</script>', page.text)]


def codes(page: httpx.Response) -> list[str]:
    return [html.unescape(each) for each in re.findall(r"<pre tabindex=\"0\"><code>(.*?)</code>", page.text, re.DOTALL)]


def faults(page: httpx.Response) -> dict[str, str]:
    return {name: html.unescape(text) for name, text in re.findall(r'id="([\w-]+)-fault">(.*?)</p>', page.text)}


class FormReader(HTMLParser):
    """The fields that a browser sends of the form of the question."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: list[tuple[str, str]] = []
        self._select = self._option = ""
        self._inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = given.get("class") == "question"
        elif self._inside and tag == "input":
            self.fields.append((given["name"], given.get("value", "")))
        elif self._inside and tag == "select":
            self._select = given["name"]
            self.fields.append((self._select, ""))
        elif self._inside and tag == "option" and self._select and "selected" in given:
            self.fields[-1] = (self._select, given["value"])

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        elif tag == "select":
            self._select = ""


def test_figures_are_those_of_a_naive_count(viewer: Browser) -> None:
    """By local day and event, of rows that meet one of two conditions."""
    filters = (FilterRow("attributes.plan", "eq", "pro"), FilterRow("count", "ge", "3"))
    asked = state(metrics=("count", "sum(count) as n"), splits=("event",), filters=filters, match="any", grain="day")
    page = shown(viewer, asked)
    counted: Counter[tuple[str, str]] = Counter()
    summed: Counter[tuple[str, str]] = Counter()
    for row in ROWS:
        if row["attributes"].get("plan") == "pro" or row["count"] >= 3:
            group = (local(row).date().isoformat(), row["event"])
            counted[group] += 1
            summed[group] += row["count"]
    counted = Counter({key: value for key, value in counted.items() if "2026-09-24" <= key[0] <= "2026-09-29"})
    assert {(day, event): int(count) for day, event, count, _ in table(page)} == counted
    assert {(day, event): int(total) for day, event, _, total in table(page)} == {key: summed[key] for key in counted}
    assert f"<dd>{counted.total():,}</dd>" in page.text.replace("\n", "")


def test_a_chart_has_the_largest_groups_and_adds_up_the_rest(viewer: Browser) -> None:
    page = shown(viewer, state(splits=("event",), grain="hour", top="2", chart="stacked", range="2026-09-27"))
    [chart] = charts(page)
    counted = Counter(row["event"] for row in ROWS if local(row).date().isoformat() == "2026-09-27")
    largest = dict(counted.most_common(2))
    assert {each["label"]: sum(each["values"]) for each in chart["series"][:2]} == largest
    rest = len(counted) - 2
    assert chart["series"][2]["label"] == f"other ({rest})"
    assert [each["rest"] for each in chart["series"]] == [False, False, True]
    assert sum(chart["series"][2]["values"]) == counted.total() - sum(largest.values())
    assert f"the other {rest} are added up" in page.text
    assert (chart["kind"], chart["zone"], len(chart["times"])) == ("stacked", ZONE, 23)  # the day of the change
    by_hour = Counter(
        int(datetime.fromisoformat(row["time"]).timestamp())
        for row in ROWS
        if local(row).date().isoformat() == "2026-09-27"
    )
    ends = [*chart["times"][1:], chart["times"][-1] + 3600]
    expected = [sum(n for at, n in by_hour.items() if a <= at < b) for a, b in zip(chart["times"], ends, strict=True)]
    assert [sum(values) for values in zip(*(each["values"] for each in chart["series"]), strict=True)] == expected


def test_means_of_the_rest_are_not_made_up(viewer: Browser) -> None:
    page = shown(viewer, state(metrics=("mean(count)",), splits=("event",), grain="day", top="1"))
    [chart] = charts(page)
    assert len(chart["series"]) == 1
    assert "mean(count) of the other 4 cannot be added up" in page.text


def test_a_comparison_has_both_intervals(viewer: Browser) -> None:
    page = shown(viewer, state(range="2026-09-27 to 2026-09-28", grain="day", compare="previous_period", chart="bar"))
    days = Counter(local(row).date().isoformat() for row in ROWS)
    assert [[int(cell) for cell in row[1:]] for row in table(page)] == [
        [days["2026-09-27"], days["2026-09-25"]],
        [days["2026-09-28"], days["2026-09-26"]],
    ]
    [chart] = charts(page)
    assert [each["label"] for each in chart["series"]] == ["count", "count, before"]
    assert len([each for each in codes(page) if each.startswith("SELECT")]) == 2


def test_without_a_grain_the_largest_group_comes_first(viewer: Browser) -> None:
    page = shown(viewer, state(splits=("event",), grain="none"))
    counted = Counter(row["event"] for row in ROWS if "2026-09-24" <= local(row).date().isoformat() <= "2026-09-29")
    assert [int(row[1]) for row in table(page)] == sorted(counted.values(), reverse=True)
    assert ('width="100.0%"' in page.text, charts(page)) == (True, [])


#: Questions of every kind that is copied as SQL: grains in a zone of odd minutes, members, each operator.
COPIED = {
    "quarters": state(grain="15 minutes", range="2026-09-27", splits=("event",)),
    "hours": state(grain="hour", range="2026-09-27", metrics=("count", "distinct(user_id)")),
    "days": state(grain="day", metrics=("sum(count)", "mean(count)", "max(time)", "min(attributes.price)")),
    "weeks": state(grain="week", splits=("attributes.plan",)),
    "months in UTC": state(grain="month", zone="UTC", metrics=("sum(attributes.price) as money",)),
    "members": state(
        grain="none",
        splits=("attributes.$odd/~1", "event"),
        filters=(FilterRow("attributes.price", "gt", "2"), FilterRow("attributes.plan", "not_in", "pro, a.b")),
    ),
    "texts": state(
        grain="none",
        splits=("event",),
        filters=(
            FilterRow("event", "like", "*'s*"),
            FilterRow("event", "in", '["buy", "quit"]'),
            FilterRow("attributes.price", "eq", '"7"'),
            FilterRow("user_id", "not_null"),
            FilterRow("time", "lt", "2026-09-25T00:00:00+12:45"),
        ),
        match="any",
    ),
    "local times": state(
        stream="playlogs", grain="hour", splits=("player_id",), filters=(FilterRow("media_id", "ne", "1"),)
    ),
    "records": state(stream="players", grain="none", range="this year", splits=("name",)),
}


@pytest.mark.parametrize("name", COPIED)
def test_what_is_copied_gives_the_same(native: Native, viewer: Browser, name: str) -> None:
    """The call of curl, the program in Python and the statement of SQL, each as a person would run it."""
    page = shown(viewer, COPIED[name])
    curl, python, statement = codes(page)
    environment = {**os.environ, "TOKEN": native.token}
    called = subprocess.run(["sh", "-c", curl], capture_output=True, env=environment, timeout=60, check=True)
    rows = json.loads(called.stdout)["rows"]
    assert len(rows) > 0
    assert len(table(page)) == len(rows)
    names: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOKEN", native.token)
        exec(compile(python, "copied", "exec"), names)
    assert names["rows"] == rows
    answer = native.http.post("/api/v1/sql", json={"sql": statement})
    assert answer.status_code == 200, (statement, answer.text)
    assert [plain_row(row) for row in answer.json()["rows"]] == [plain_row(row) for row in rows]


def plain_row(row: dict[str, Any]) -> list[Any]:
    """Without the time, which SQL has as local dates; numbers alike, whether they are texts or not."""
    found = []
    for name, value in row.items():
        is_number = isinstance(value, (int, float)) or (
            isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value)
        )
        if name != "time":
            found.append(round(float(value), 9) if is_number else value)
    return found


def test_files_have_what_the_native_api_answers(native: Native, viewer: Browser) -> None:
    asked = state(splits=("event",), grain="day")
    question = {"stream": "app_events", "dimensions": ["event"], "range": asked.range, "grain": "day", "timezone": ZONE}
    right = native.http.post("/api/v1/query", json=question, headers={"Accept": "text/csv"})
    file = viewer.get(f"{PATH}?{asked.query_string}&download=csv")
    assert (file.text, file.headers["content-disposition"]) == (right.text, 'attachment; filename="app_events.csv"')
    parquet = viewer.get(f"{PATH}?{asked.query_string}&download=parquet")
    assert pq.read_table(io.BytesIO(parquet.content)).num_rows == right.text.count("\n") - 1


def test_a_link_without_a_stream_leads_to_one_that_has_everything(viewer: Browser) -> None:
    moved = viewer.get(PATH)
    fields = dict(parse_qsl(moved.headers["location"].partition("?")[2]))
    assert (moved.status_code, fields["stream"], fields["zone"]) == (303, "app_events", ZONE)
    assert fields.keys() == {"stream", "metric", "match", "range", "grain", "zone", "chart", "top"}
    assert viewer.get(moved.headers["location"]).status_code == 200


def test_another_account_is_never_seen(native: Native, viewer: Browser) -> None:
    link = f"?{state(splits=('event',), grain='none', range='this year').query_string}"
    assert viewer.get(f"/accounts/himal/explore{link}").status_code == 404
    assert "of-himal" not in viewer.get(PATH + link).text
    with Browser(native.server, "himal") as himal:
        assert "of-himal" in himal.get(f"/accounts/himal/explore{link}").text


def test_htmx_gets_the_part_alone_and_the_link_for_the_address(viewer: Browser) -> None:
    asked = state(splits=("event",))
    part = viewer.get(f"{PATH}?{asked.query_string}&split=", headers={"HX-Request": "true"})
    assert part.text.lstrip().startswith('<div id="explore"')
    assert part.headers["hx-push-url"] == f"{PATH}?{asked.query_string}"
    back = viewer.get(
        f"{PATH}?{asked.query_string}", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"}
    )
    assert back.text.startswith("<!doctype html>")


def test_what_is_wrong_stands_beside_its_field(viewer: Browser) -> None:
    asked = state(
        metrics=("count", "summ(x)"),
        splits=("plyer",),
        filters=(FilterRow("count", "eq", "<i>"), FilterRow("event", "eq", "fine"), FilterRow("event", "near", "x")),
        range="last fortnight",
        zone="Mars",
        top="99",
    )
    page = viewer.get(f"{PATH}?{asked.query_string}")
    assert page.status_code == 422
    assert faults(page).keys() == {"metric-1", "split-0", "where-0", "where-2", "range", "zone", "top"}
    assert faults(page)["where-0"] == "Column count holds whole numbers, not '<i>'"
    assert faults(page)["split-0"] == "Stream app_events has no column 'plyer'"
    missing = viewer.get(f"{PATH}?stream=<b>")
    assert (missing.status_code, list(faults(missing))) == (422, ["stream"])
    backwards = viewer.get(f"{PATH}?{state(range='', start='2026-10-02', end='2026-10-01').query_string}")
    assert (backwards.status_code, list(faults(backwards))) == (422, ["end"])
    half = viewer.get(f"{PATH}?{state(range='', start='2026-10-02').query_string}")
    assert (half.status_code, faults(half)) == (422, {"end": "Say when the range ends"})
    unreadable = viewer.get(f"{PATH}?stream=%ff%00")
    assert 400 <= unreadable.status_code < 500


def test_where_there_is_nothing_the_page_says_what_to_do(viewer: Browser) -> None:
    nothing = shown(viewer, state(stream="ad_events", metrics=("sum(spend)",), grain="none"))
    assert "ad_events has no rows yet" in nothing.text
    assert "/accounts/acme/connect" in nothing.text
    outside = shown(viewer, state(range="2025-01"))
    assert "No row of app_events is in this range" in outside.text


def test_another_stream_keeps_what_fits_it(viewer: Browser) -> None:
    form = {"for": "app_events", "stream": "playlogs", "metric": ["count", "sum(count)"], "split": "event"}
    page = viewer.get(PATH, params={**form, "where": "event", "op": "eq", "value": "x", "range": "2026-09"})
    assert page.status_code == 200, page.text[-2000:]
    kept = read_state(FormFields(FormReader(page.text).fields), ZONE)
    assert (kept.stream, kept.metrics, kept.splits, kept.filters) == ("playlogs", ("count",), (), ())


HOSTILE = st.one_of(
    st.sampled_from(
        ["count", "event", "attributes.plan", "2026-09-25T00:00:00", '"><script>alert(1)</script>', "'; DROP", "\0"]
    ),
    st.text(st.characters(codec="utf-8"), max_size=12),
)
STATES = st.builds(
    ExploreState,
    stream=st.sampled_from(["app_events", "playlogs", "<img src=x>"]),
    zone=st.one_of(st.sampled_from([ZONE, "UTC", "America/Sao_Paulo"]), HOSTILE),
    metrics=st.lists(st.one_of(st.sampled_from(["count", "sum(count) as <b>"]), HOSTILE), max_size=3).map(tuple),
    splits=st.lists(HOSTILE, max_size=2).map(tuple),
    filters=st.lists(
        st.builds(FilterRow, HOSTILE, st.sampled_from(["eq", *OPERATORS, "<i>"]), HOSTILE), max_size=3
    ).map(tuple),
    match=st.sampled_from([*MATCHES, "some"]),
    range=st.one_of(st.sampled_from(["", *RANGES]), HOSTILE),
    start=st.one_of(st.just(""), st.datetimes().map(datetime.isoformat), HOSTILE),
    end=st.one_of(st.just(""), st.datetimes().map(datetime.isoformat), HOSTILE),
    grain=st.sampled_from([*GRAINS, "<hour>"]),
    compare=st.sampled_from([*COMPARISONS, "tomorrow"]),
    chart=st.sampled_from([*CHARTS, '"pie"']),
    top=st.sampled_from(["1", "20", "0", "-1", "1e3", "٣", ""]),
)


@settings(max_examples=40, suppress_health_check=list(HealthCheck), deadline=None)
@given(made=STATES)
def test_a_state_has_one_link_and_whatever_is_in_it_is_shown_again(viewer: Browser, made: ExploreState) -> None:
    """Link to state to link, and link to form to link: the same. Nothing is run, and no answer is a 5xx."""
    read = read_state(FormFields(parse_qsl(made.query_string, keep_blank_values=True)), ZONE)
    again = read_state(FormFields(parse_qsl(read.query_string, keep_blank_values=True)), ZONE)
    assert again == read
    page = viewer.get(f"{PATH}?{read.query_string}")
    assert page.status_code < 500, page.text[-2000:]
    if page.status_code in {200, 422}:
        sent = urlencode([(name, value.replace("\r\n", "\n")) for name, value in FormReader(page.text).fields])
        assert read_state(FormFields(parse_qsl(sent, keep_blank_values=True)), ZONE) == read
    body = re.sub(r"<script (src=|type=\"application/json\").*?</script>", "", page.text, flags=re.DOTALL)
    assert not re.search(r"<script|<img src=x|<i>|<hour>", body)


@given(
    at=st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)).map(lambda each: each.replace(tzinfo=UTC)),
    zone=st.sampled_from([ZONE, "UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
)
def test_a_moment_comes_back_from_its_text(at: datetime, zone: str) -> None:
    text = plain_moment(at.isoformat(), zone)
    assert plain_moment(text, zone) == text
    assert datetime.fromisoformat(sent_moment(text, ZoneInfo(zone), local=False)) == at


def test_the_second_of_two_equal_hours_keeps_its_offset() -> None:
    zone = "America/New_York"
    assert plain_moment("2026-11-01T05:30:00Z", zone) == "2026-11-01T01:30:00"
    assert plain_moment("2026-11-01T06:30:00Z", zone) == "2026-11-01T01:30:00-05:00"


def test_the_page_of_the_docs_has_each_field_and_word_of_the_link() -> None:
    page = (Path(__file__).parents[2] / "docs" / "guides" / "explore.md").read_text()
    rows = re.findall(r"^\| (`.*?) \| (.*) \|$", page, re.MULTILINE)
    every = state(splits=("event",), filters=(FilterRow("event"),), start="2026-09-24", end="2026-09-25")
    assert [name for names, _ in rows for name in re.findall(r"`(\w+)`", names)] == list(
        dict.fromkeys(dict(every.fields()))
    )
    words = dict(rows)
    for field, choices in (("`grain`", GRAINS), ("`chart`", CHARTS), ("`compare`", COMPARISONS), ("`match`", MATCHES)):
        assert re.findall(r"`([\w ]+)`", words[field]) == [each for each in choices if each]
    assert re.findall(r"`(\w+)`", words["`where`, `op`, `value`"].partition("`op`:")[2]) == list(OPERATORS)
