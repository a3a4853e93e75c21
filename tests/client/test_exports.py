"""Exports asked for, waited for and fetched: every row, in files that are whole or not there."""

from __future__ import annotations

import hashlib
import json

import pyarrow.parquet as pq
import pytest

from airtally.client import AnswerDeferred, ExportNotDone, GarbledAnswer, InvalidRequest, MissingResource, RetryRules
from fixtures.awkward import Cut, answering, http_answer, proxy
from fixtures.sent import Caller, plays

BRIEF = RetryRules(patience=0.2, read_patience=0.2, attempts=2, first=0.01, most=0.02)


@pytest.fixture
def filled(caller, native):
    native.http.post("/api/v1/streams/playlogs/events", json=plays(1000)).raise_for_status()
    return caller


def test_rows_as_files(filled, tmp_path):
    export = filled.call("export", rows={"stream": "playlogs"}, format="parquet", part_rows=400)
    assert (export.state, export.rows, export.parts, export.progress) == ("done", 1000, 3, 1.0)
    assert export.data_through < export.expires_at
    paths = filled.call("download", export, tmp_path / "new")
    assert sorted((tmp_path / "new").iterdir()) == sorted(paths)
    found = [row["media_id"] for path in paths for row in pq.read_table(path).to_pylist()]
    assert sorted(found) == list(range(1000))


def test_a_question_as_a_file(filled, tmp_path):
    asked = {"stream": "playlogs", "dimensions": ["player_id"], "order": ["player_id"]}
    export = filled.call("export", query=asked, format="ndjson", compression="none")
    (path,) = filled.call("download", export.id, str(tmp_path))
    assert [json.loads(line) for line in path.read_text().splitlines()] == filled.rows(**asked)


def test_files_are_fetched_again_where_they_were_cut_and_only_there(filled, tmp_path, client_server, native):
    export = filled.call("export", rows={"stream": "playlogs"}, format="csv", compression="none", part_rows=250)
    cuts = [Cut(answered=900), Cut(answered=3000), Cut(answered=9000), Cut(answered=0)]
    with proxy(client_server.port, cuts) as through:
        paths = filled.at(through.url).call("download", export, tmp_path)
    assert cuts == []
    assert sum(len(path.read_text().splitlines()) - 1 for path in paths) == 1000
    before = {path: (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest()) for path in paths}
    paths[1].write_text(paths[1].read_text().replace("2026", "1999", 1))
    paths[2].unlink()
    assert filled.call("download", export, tmp_path) == paths
    after = {path: (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest()) for path in paths}
    assert {path: each[1] for path, each in after.items()} == {path: each[1] for path, each in before.items()}
    assert [after[path][0] == before[path][0] for path in paths] == [True, False, False, True]


def test_exports_that_cannot_be(filled, tmp_path):
    with pytest.raises(MissingResource):
        filled.call("export", rows={"stream": "nosuch"})
    with pytest.raises(InvalidRequest):
        filled.call("export", rows={"stream": "playlogs", "columns": ["nosuch"]})
    with pytest.raises(MissingResource):
        filled.call("download", 10**9, tmp_path)
    with pytest.raises(TypeError, match="no field stream"):
        filled.call("export", stream="playlogs")


SHOWN = {"id": 7, "state": "done"}


def export_answers(*parts):
    page = {"items": [{"name": name, "bytes": 4, "sha256": sha, "url": url} for name, sha, url in parts], "next": None}
    return [http_answer(200, json.dumps(each).encode()) for each in (SHOWN, page)]


LINK = "http://elsewhere.example/prefix/api/v1/downloads/exports/7/1?expires=5&signature=ab%2Bc"
SHA = hashlib.sha256(b"rows").hexdigest()


def test_links_are_followed_at_the_clients_own_address(form, tmp_path):
    with answering([*export_answers(("a.csv", SHA, LINK)), http_answer(200, b"rows")]) as (url, requests):
        (path,) = Caller(form, url, "t").call("download", 7, tmp_path)
    assert path.read_bytes() == b"rows"
    assert requests[2].startswith(b"GET /api/v1/downloads/exports/7/1?expires=5&signature=ab%2Bc HTTP/1.1\r\n")


@pytest.mark.parametrize("body", [b"row", b"rowsrows", b"swor", b""])
def test_a_file_that_is_another_is_not_kept(form, tmp_path, body):
    with (
        answering([*export_answers(("a.csv", SHA, LINK)), http_answer(200, body)]) as (url, requests),
        pytest.raises(GarbledAnswer),
    ):
        Caller(form, url, "t").call("download", 7, tmp_path, client={"retry": BRIEF})
    assert len(requests) == 4, "tried twice"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../a.csv", "/etc/a.csv", "..", "", "a/b.csv", "a\\b.csv"])
def test_names_that_lead_elsewhere(form, tmp_path, name):
    with (
        answering(export_answers((name, SHA, LINK))) as (url, _),
        pytest.raises(GarbledAnswer, match="A part is called"),
    ):
        Caller(form, url, "t").call("download", 7, tmp_path / "in")
    assert list(tmp_path.iterdir()) == [tmp_path / "in"]
    assert list((tmp_path / "in").iterdir()) == []


@pytest.mark.parametrize(("state", "error"), [("failed", "the disk is full"), ("cancelled", None), ("expired", None)])
def test_exports_that_end_otherwise(form, tmp_path, state, error):
    shown = json.dumps(SHOWN | {"state": state, "error": error}).encode()
    with answering([http_answer(200, shown)]) as (url, _), pytest.raises(ExportNotDone, match=state) as caught:
        Caller(form, url, "t").call("download", 7, tmp_path)
    assert (caught.value.export.id, caught.value.export.error) == (7, error)


def test_one_that_is_not_done_in_time(form, tmp_path):
    running = http_answer(200, json.dumps(SHOWN | {"state": "running"}).encode(), Retry_After="1")
    with answering([running]) as (url, requests), pytest.raises(ExportNotDone, match="Export 7 is running"):
        Caller(form, url, "t").call("download", 7, tmp_path, wait=0.1)
    assert len(requests) == 2


@pytest.mark.parametrize("how", ["rows", "arrow"])
def test_a_question_that_is_too_large_names_its_export(form, how):
    with answering([http_answer(202, json.dumps(SHOWN).encode(), Location="/api/v1/exports/7")]) as (url, _):
        with pytest.raises(AnswerDeferred, match="export 7") as caught:
            Caller(form, url, "t").rows("playlogs", how)
        assert caught.value.export_id == 7


def test_the_account_that_a_call_is_about(form):
    with answering([http_answer(200, b"{}")]) as (url, requests):
        Caller(form, url, "t").request("GET", "/x", client={"account": "acme"})
        Caller(form, url, "t").request("GET", "/x")
    assert [b"airtally-account: acme" in each.lower() for each in requests] == [True, False]
