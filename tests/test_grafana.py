"""The dashboard names what there is, and the API's answers are read as Grafana's Infinity data source reads them."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest

from airtally.reference import declared_metrics, metric_name
from fixtures.client_server import client_server, join, native

__all__ = ["client_server", "join", "native"]  # fixtures

ROOT = Path(__file__).parents[1]
DASHBOARD = json.loads((ROOT / "deploy/grafana/airtally.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel["targets"]]
LABELS = {metric_name(each): set(each._labelnames) for each in declared_metrics()}
QUERIES = [
    json.loads(each)
    for each in re.findall(r"```json\n(.+?)```", (ROOT / "docs/guides/grafana.md").read_text(), re.DOTALL)
]


def base_of(name):
    """The metric that a series belongs to: a histogram has three."""
    found = re.sub(r"_(bucket|sum|count)$", "", name)
    return found if found in LABELS else name


def test_the_dashboard_has_what_grafana_imports():
    assert DASHBOARD.keys() >= {
        "title",
        "uid",
        "schemaVersion",
        "panels",
        "templating",
        "time",
        "refresh",
        "timezone",
        "tags",
    }
    assert DASHBOARD["id"] is None
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    variables = {each["name"] for each in DASHBOARD["templating"]["list"]}
    for panel in PANELS:
        assert panel.keys() >= {"type", "title", "gridPos", "datasource", "targets", "fieldConfig", "options"}
        assert panel["type"] in {"timeseries", "stat"}
        assert panel["targets"]
        for source in (panel["datasource"], *(target["datasource"] for target in panel["targets"])):
            assert source == {"type": "prometheus", "uid": "${datasource}"}
        refs = [target["refId"] for target in panel["targets"]]
        assert len(set(refs)) == len(refs)
        assert len({target["legendFormat"] for target in panel["targets"]}) == len(refs), panel["title"]
    used = {name for each in EXPRESSIONS for name in re.findall(r"\$(\w+)", each)} - {"__rate_interval"}
    assert used <= variables


def test_panels_do_not_overlap():
    taken = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize("expression", sorted(set(EXPRESSIONS)))
def test_each_expression_names_metrics_and_labels_that_there_are(expression):
    assert expression.count("(") == expression.count(")")
    names = set(re.findall(r"\b(airtally_\w+|process_\w+)", expression))
    assert names
    for name in names - {"process_resident_memory_bytes"}:
        assert base_of(name) in LABELS
    known = {"instance", "le"} | {label for name in names if base_of(name) in LABELS for label in LABELS[base_of(name)]}
    matched = set(re.findall(r"(\w+)=~?\"", expression))
    grouped = {name.strip() for group in re.findall(r"by \(([^)]+)\)", expression) for name in group.split(",")}
    assert matched | grouped <= known


def test_legends_name_labels_that_are_grouped_by():
    for panel in PANELS:
        for target in panel["targets"]:
            shown = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            grouped = {
                name.strip() for group in re.findall(r"by \(([^)]+)\)", target["expr"]) for name in group.split(",")
            }
            assert shown <= grouped, (panel["title"], target["legendFormat"])
            assert grouped - {"le"} == shown, (panel["title"], target["legendFormat"])


def test_every_metric_that_tells_of_trouble_is_on_it():
    shown = {base_of(name) for each in EXPRESSIONS for name in re.findall(r"\bairtally_\w+", each)}
    trouble = {
        name for name in LABELS if re.search("fail|refused|rejected|broken|late_|limited|disabled|conflict", name)
    }
    assert len(trouble) > 15
    assert trouble - shown == set()


def test_a_running_server_gives_the_series(native):
    text = native.http.get("/metrics").text
    typed = set(re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE))
    names = {base_of(name) for each in EXPRESSIONS for name in re.findall(r"\b(airtally_\w+|process_\w+)", each)}
    assert names - typed == set()


# What follows reads answers as the plugin's backend does: its requests, macros, root selector, typed columns, cursors.

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
FROM, TO = NOW - timedelta(hours=4), NOW


def macros(text):
    text = text.replace("${__from:date:iso}", iso(FROM)).replace("${__to:date:iso}", iso(TO))
    found = re.fullmatch(r"\$__customInterval\((.+)\)", text)
    if found is None:
        return text
    *pairs, last = found[1].split(",")
    lengths = {"h": timedelta(hours=1), "d": timedelta(days=1)}
    for length, value in zip(pairs[::2], pairs[1::2], strict=True):
        if int(length[:-1]) * lengths[length[-1]] >= TO - FROM:
            return value
    return last


def iso(at):
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def asked(native, query, more=()):
    options = query["url_options"]
    accept = {"json": "application/json;q=0.9,text/plain", "csv": "text/csv; charset=utf-8"}[query["type"]]
    headers = {"Accept": accept, "Accept-Encoding": "gzip", "User-Agent": "Grafana"}
    if options["method"] == "POST":
        headers["Content-Type"] = options["body_content_type"]
        return native.http.post(query["url"], content=macros(options["data"]), headers=headers)
    params = [(each["key"], macros(each["value"])) for each in options["params"]]
    return native.http.get(f"{query['url']}?{urlencode([*params, *more])}", headers=headers)


def frames(native, query):
    """One frame for each page: its columns by name."""
    cursor, found = "", []
    while not found or (cursor and len(found) <= query["pagination_max_pages"]):
        answer = asked(native, query, [("cursor", cursor)] if cursor else [])
        assert answer.status_code == 200, answer.text
        if query["type"] == "csv":
            rows = list(csv.DictReader(io.StringIO(answer.text)))
        else:
            body = answer.json()
            rows = body[query["root_selector"]]
            assert isinstance(rows, list)
            if "pagination_mode" in query:
                assert query["pagination_param_cursor_extraction_path"] in body, "there on the last page too, as null"
                cursor = body["next"] or ""
        found.append(
            {each["text"]: [typed(row[each["selector"]], each["type"]) for row in rows] for each in query["columns"]}
        )
    return found


def typed(value, kind):
    """A value as a column of a type; None where the plugin would have none, which no row of the tests has."""
    if kind == "timestamp":
        assert isinstance(value, str)
        return datetime.fromisoformat(value)
    if kind == "number":
        assert isinstance(value, int | float | str)
        return float(value)
    assert isinstance(value, str)
    return value


@pytest.fixture
def filled(native):
    rows = [
        {
            "app": app,
            "video_url": "v",
            "server": "s",
            "time": (FROM + timedelta(minutes=minute)).isoformat(),
            "viewers": 100 + 10 * minute + number,
        }
        for number, app in enumerate(("live", "music"))
        for minute in range(-5, 240)
    ]
    assert native.send("viewer_samples", rows).json()["accepted"] == len(rows)
    return native


def test_a_time_series_in_one_page(filled):
    (frame,) = frames(filled, QUERIES[0])
    assert len(frame["time"]) == 480
    assert {each.utcoffset() for each in frame["time"]} == {timedelta(0)}
    expected = {
        (FROM + timedelta(minutes=minute), app): 100.0 + 10 * minute + number
        for minute in range(240)
        for number, app in enumerate(("live", "music"))
    }
    assert dict(zip(zip(frame["time"], frame["app"], strict=True), frame["viewers"], strict=True)) == expected
    assert set(frame["samples"]) == {1.0}


def test_a_time_series_in_pages(filled):
    (whole,) = frames(filled, QUERIES[0])
    params = [
        each | {"value": "150"} if each["key"] == "limit" else each for each in QUERIES[0]["url_options"]["params"]
    ]
    paged = frames(filled, QUERIES[0] | {"url_options": QUERIES[0]["url_options"] | {"params": params}})
    assert [len(each["time"]) for each in paged] == [150, 150, 150, 30], (
        "no page is empty: the plugin could not join it"
    )
    assert {name: [value for each in paged for value in each[name]] for name in whole} == whole


def test_csv_and_sql_give_the_same(filled):
    assert (
        frames(filled, QUERIES[1])
        == frames(filled, QUERIES[2])
        == [{"app": ["music", "live"], "viewers": [2491.0, 2490.0]}]
    )


def test_no_rows_are_an_empty_frame(native):
    assert frames(native, QUERIES[0]) == [{"time": [], "app": [], "viewers": [], "samples": []}]


def test_days_and_local_times(native):
    plays = [{"player_id": 1, "media_id": n, "played_at": f"2026-11-2{n % 3}T08:00:00"} for n in range(9)]
    native.send("playlogs", plays)
    params = {
        "stream": "playlogs",
        "grain": "day",
        "start": "2026-11-20T00:00:00.000Z",
        "end": "2026-11-23T00:00:00.000Z",
    }
    rows = native.http.get("/api/v1/query", params=params).json()["rows"]
    assert rows == [{"time": f"2026-11-2{n}T00:00:00", "count": 3} for n in range(3)], "without an offset"
