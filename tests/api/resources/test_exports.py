"""Exports over HTTP: asked for, watched, fetched by their links, deleted."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import time
from urllib.parse import parse_qs, urlsplit

import httpx
import pyarrow.parquet as pq
import pytest

from airtally.accounts.keys import KeyOptions
from airtally.kit.clock import MovableClock
from airtally.settings import Settings
from airtally.streams import STREAMS
from fixtures.native import Native
from fixtures.server import LiveServer

NOW_US = 1_793_620_800_000_000  # 2026-11-02T12:00:00Z
PLAYS = [
    {"player_id": n % 3, "media_id": n, "played_at": f"2026-11-0{1 + n % 2}T10:00:{n:02}", "id": f"p{n}", "type": "I"}
    for n in range(20)
]
WEEK = {"stream": "playlogs", "range": "last 7 days", "dimensions": ["player_id"]}


@pytest.fixture
def clock():
    return MovableClock(NOW_US)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One for all tests that leave the clock alone, each with an account of its own on it."""
    settings = Settings(home=tmp_path_factory.mktemp("exports") / "home", rate_limits=False)
    server = LiveServer(settings, MovableClock(NOW_US)).start()
    yield server
    server.stop()


def with_plays(native):
    assert native.send("playlogs", PLAYS).json()["accepted"] == 20
    return native


@pytest.fixture
def acme(server, join):
    return with_plays(join(server))


@pytest.fixture
def timed(start_server, clock, join):
    """An account on a server of the test's own, whose clock it may move."""
    return with_plays(join(start_server(clock)))


def ended(client, export):
    """The export, once it has ended; it says meanwhile when to look again."""
    while True:
        answer = client.http.get(f"/api/v1/exports/{export['id']}")
        export = answer.json()
        if export["state"] not in {"queued", "running"}:
            assert "Retry-After" not in answer.headers
            return export
        assert answer.headers["Retry-After"] == "1"
        time.sleep(0.02)


def made(client, **asked):
    answer = client.http.post("/api/v1/exports", json=asked)
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == f"/api/v1/exports/{answer.json()['id']}"
    export = ended(client, answer.json())
    assert export["state"] == "done", export
    return export


def parts_of(client, export):
    return client.http.get(f"/api/v1/exports/{export['id']}/parts").json()["items"]


def fetched(part, **headers):
    return httpx.get(part["url"], headers=headers)


def test_rows_become_files(acme):
    export = made(acme, rows={"stream": "playlogs", "columns": ["media_id", "played_at"]}, format="ndjson")
    assert {name: export[name] for name in ("progress", "parts", "rows", "format", "compression", "error")} == {
        "progress": 1.0,
        "parts": 1,
        "rows": 20,
        "format": "ndjson",
        "compression": "gzip",
        "error": None,
    }
    assert export["asked_rows"] == {"stream": "playlogs", "columns": ["media_id", "played_at"]}
    assert export["expires_at"] == "2026-11-09T12:00:00.000000Z"
    [part] = parts_of(acme, export)
    assert (part["number"], part["name"], part["rows"]) == (1, f"export-{export['id']}-0001.ndjson.gz", 20)
    content = fetched(part)
    assert (len(content.content), hashlib.sha256(content.content).hexdigest()) == (part["bytes"], part["sha256"])
    assert content.headers["Content-Type"] == "application/gzip"
    assert content.headers["Airtally-Rows"] == "20"
    assert content.headers["Airtally-Data-Through"] == export["data_through"]
    rows = [json.loads(line) for line in gzip.decompress(content.content).splitlines()]
    assert sorted((row["media_id"], row["played_at"]) for row in rows) == [
        (each["media_id"], each["played_at"]) for each in PLAYS
    ]


def test_an_answer_of_any_size_becomes_files(acme):
    export = made(acme, query=WEEK | {"range": "this week"}, format="parquet", compression="none")
    [part] = parts_of(acme, export)
    content = fetched(part)
    assert content.headers["Content-Type"] == "application/vnd.apache.parquet"
    rows = pq.read_table(io.BytesIO(content.content)).to_pylist()
    assert rows == acme.ask(**WEEK | {"range": "this week"}).json()["rows"]


def test_a_part_is_fetched_whole_in_ranges_or_not_again(acme):
    [part] = parts_of(acme, made(acme, rows={"stream": "playlogs"}, compression="none"))
    whole = fetched(part).content
    tag = f'"{part["sha256"]}"'
    some = fetched(part, Range="bytes=10-19")
    assert (some.status_code, some.content) == (206, whole[10:20])
    assert some.headers["Content-Range"] == f"bytes 10-19/{len(whole)}"
    assert fetched(part, **{"If-None-Match": tag}).status_code == 304
    assert fetched(part, Range=f"bytes={len(whole)}-").status_code == 416
    head = httpx.head(part["url"])
    assert (head.status_code, head.content, head.headers["Content-Length"]) == (200, b"", str(len(whole)))
    assert head.headers["ETag"] == tag


def test_links_expire_and_cannot_be_changed(timed, clock):
    export = made(timed, rows={"stream": "playlogs"})
    [part] = parts_of(timed, export)
    parsed = urlsplit(part["url"])
    query = {name: values[0] for name, values in parse_qs(parsed.query).items()}
    base = f"{parsed.scheme}://{parsed.netloc}"

    def status(path=parsed.path, **changes):
        answer = httpx.get(base + path, params=query | changes)
        if answer.status_code >= 400:
            assert answer.headers["Content-Type"] == "application/problem+json"
        return answer.status_code

    assert status() == 200
    assert status(expires=str(int(query["expires"]) + 1)) == 401
    assert status(signature="0" * 40) == 401
    assert status(signature="") == 401
    assert status(expires="") == 401
    assert status(path=parsed.path[:-1] + "2") == 401
    assert httpx.get(base + parsed.path, headers={"Authorization": f"Bearer {timed.token}"}).status_code == 401
    clock.advance(86_400)
    assert status() == 401
    [again] = parts_of(timed, export)
    assert again["url"] != part["url"]
    assert fetched(again).status_code == 200


def test_files_end_with_the_export(timed, clock):
    export = made(timed, rows={"stream": "playlogs"})
    [part] = parts_of(timed, export)
    assert timed.http.delete(f"/api/v1/exports/{export['id']}").status_code == 204
    assert timed.http.delete(f"/api/v1/exports/{export['id']}").status_code == 204
    assert fetched(part).status_code == 404
    assert parts_of(timed, export) == []
    assert ended(timed, export)["state"] == "expired"
    other = made(timed, rows={"stream": "playlogs"})
    clock.advance(7 * 86_400)
    assert ended(timed, other)["state"] == "expired"


def test_a_link_never_outlives_its_file(timed, clock):
    export = made(timed, rows={"stream": "playlogs"})
    clock.advance(7 * 86_400 - 60)
    [part] = parts_of(timed, export)
    assert part["url_expires_at"] == export["expires_at"]


def test_exports_are_listed_newest_first_in_pages_and_by_state(acme):
    ids = [made(acme, rows={"stream": "playlogs"})["id"] for _ in range(3)]
    acme.http.delete(f"/api/v1/exports/{ids[1]}")
    first = acme.http.get("/api/v1/exports", params={"limit": 2}).json()
    assert [each["id"] for each in first["items"]] == ids[:0:-1]
    second = acme.http.get("/api/v1/exports", params={"limit": 2, "cursor": first["next"]}).json()
    assert ([each["id"] for each in second["items"]], second["next"]) == (ids[:1], None)
    done = acme.http.get("/api/v1/exports", params={"state": "done"}).json()["items"]
    assert [each["id"] for each in done] == [ids[2], ids[0]]
    some = acme.http.get("/api/v1/exports", params={"state": ["done", "expired"]}).json()["items"]
    assert [each["id"] for each in some] == ids[::-1]
    assert acme.http.get("/api/v1/exports", params={"state": "lost"}).status_code == 422


def test_parts_are_listed_in_pages(acme):
    export = made(acme, rows={"stream": "playlogs"}, part_rows=6)
    path, numbers, cursor = f"/api/v1/exports/{export['id']}/parts", [], None
    for _ in range(4):
        page = acme.http.get(path, params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        numbers += [each["number"] for each in page["items"]]
        if (cursor := page["next"]) is None:
            break
    assert numbers == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ({}, 422, "`rows`, a `query` or `sql`"),
        ({"rows": {"stream": "playlogs"}, "query": WEEK}, 422, "one of them"),
        ({"rows": {"stream": "nothing"}}, 404, "no stream"),
        ({"query": {"stream": "nothing"}}, 404, "no stream"),
        ({"rows": {"stream": "playlogs", "columns": ["nope"]}}, 422, "no column 'nope'"),
        ({"rows": {"stream": "playlogs", "columns": []}}, 422, "at least one column"),
        ({"rows": {"stream": "playlogs", "columns": ["id", "id"]}}, 422, "each once"),
        ({"rows": {"stream": "playlogs", "columns": ["account"]}}, 422, "no column 'account'"),
        ({"rows": {"stream": "playlogs", "versions": True}}, 422, "no changelog"),
        ({"rows": {"stream": "players", "versions": True, "deleted": True}}, 422, "`deleted`"),
        ({"rows": {"stream": "playlogs", "filter": {"nope": 1}}}, 422, "nope"),
        ({"rows": {"stream": "playlogs", "range": "some day"}}, 422, "range"),
        ({"rows": {"stream": "playlogs", "range": "today", "start": "2026-11-01T00:00:00"}}, 422, "`range`"),
        ({"rows": {"stream": "playlogs", "range": "today", "timezone": "Mars"}}, 422, "Mars"),
        ({"rows": {"stream": "playlogs"}, "format": "xlsx"}, 422, "xlsx"),
        ({"rows": {"stream": "playlogs"}, "compression": "rar"}, 422, "rar"),
        ({"rows": {"stream": "playlogs"}, "part_rows": 0}, 422, "`part_rows`"),
        ({"rows": {"stream": "playlogs"}, "part_bytes": 10}, 422, "`part_bytes`"),
        ({"query": WEEK | {"cursor": "abc"}}, 422, "no `cursor`"),
        ({"query": WEEK | {"compare": "previous_period"}}, 422, "no `compare`"),
        ({"query": WEEK | {"metrics": ["sum(nope)"]}}, 422, "nope"),
        ({"query": WEEK | {"more": 1}}, 422, "more"),
        ({"query": {"stream": "playlogs", "range": "1970 to 2100", "grain": "minute"}}, 422, "buckets"),
        ({"rows": {"stream": "playlogs"}, "account": "rival"}, 422, "account"),
    ],
)
def test_what_cannot_be_exported_is_refused_in_words(acme, asked, status, said):
    answer = acme.http.post("/api/v1/exports", json=asked)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["detail"]
    assert len(answer.text) < 1000
    assert acme.http.get("/api/v1/exports").json()["items"] == []


def test_exports_are_deleted_with_the_right_scope_only(server, acme, join):
    """Not by a key that only writes, nor by one that reads what another asked for."""
    export = made(acme, rows={"stream": "playlogs"})
    path, [part] = f"/api/v1/exports/{export['id']}", parts_of(acme, export)
    keys = server.services.access.keys
    tokens = {
        scope: keys.create(acme.account, "native", KeyOptions(frozenset({scope}))).credentials["token"]
        for scope in ("write", "read")
    }
    strangers = {tokens["write"]: 403, tokens["read"]: 403, join(server, scopes=("admin",)).token: 404, "none": 401}
    for token, status in strangers.items():
        answer = acme.http.delete(path, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == status, answer.text
    assert httpx.get(part["url"]).status_code == 200
    assert acme.http.delete(path).status_code == 204
    assert acme.http.get(path).json()["state"] == "expired"
    assert httpx.get(part["url"]).status_code == 404


def test_another_accounts_exports_are_not_there(server, acme, join):
    export = made(acme, rows={"stream": "playlogs"})
    rival = join(server)
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/parts")):
        assert rival.http.request(method, f"/api/v1/exports/{export['id']}{path}").status_code == 404
    assert rival.http.get("/api/v1/exports").json()["items"] == []
    own = made(rival, rows={"stream": "playlogs"})
    assert own["rows"] == 0
    assert ended(acme, export)["state"] == "done"


@pytest.mark.parametrize(("scope", "status"), [("read", 403), ("admin", 204)])
def test_only_admins_delete_what_others_asked_for(server, acme, scope, status):
    """A key that may read could otherwise take away what a schedule has delivered."""
    export = made(acme, rows={"stream": "playlogs"})
    other = server.services.access.keys.create(acme.account, "native", KeyOptions(scopes=frozenset({scope})))
    bearer = {"Authorization": f"Bearer {other.credentials['token']}"}
    answer = acme.http.delete(f"/api/v1/exports/{export['id']}", headers=bearer)
    assert (answer.status_code, ended(acme, export)["state"]) == (status, "expired" if status == 204 else "done")


def test_more_exports_than_may_wait_are_refused(start_server, opened, clock):
    server = start_server(clock, waiting_exports=2)
    for each in server.services.background:
        if "exports" in each.name:
            each.stop()
    acme = opened(Native(server, "acme"))
    asked = {"rows": {"stream": "playlogs"}}
    ids = [acme.http.post("/api/v1/exports", json=asked).json()["id"] for _ in range(2)]
    refused = acme.http.post("/api/v1/exports", json=asked)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "30")
    assert "AIRTALLY_WAITING_EXPORTS" in refused.json()["hint"]
    assert acme.http.delete(f"/api/v1/exports/{ids[0]}").status_code == 204
    assert acme.http.get(f"/api/v1/exports/{ids[0]}").json()["state"] == "cancelled"
    assert acme.http.post("/api/v1/exports", json=asked).status_code == 202


def test_a_request_sent_twice_with_a_key_makes_one_export(acme):
    asked, headers = {"rows": {"stream": "playlogs"}}, {"Idempotency-Key": "one"}
    first, second = (acme.http.post("/api/v1/exports", json=asked, headers=headers) for _ in range(2))
    assert (first.json()["id"], first.status_code) == (second.json()["id"], second.status_code)
    assert len(acme.http.get("/api/v1/exports").json()["items"]) == 1


def test_exports_are_in_the_audit_trail(server, acme):
    export = made(acme, rows={"stream": "playlogs"})
    acme.http.delete(f"/api/v1/exports/{export['id']}")
    entries = server.services.access.audit.entries(acme.account.id, limit=2)
    assert [(each.action, each.target, each.actor_kind) for each in entries] == [
        ("export.delete", f"export {export['id']}", "key"),
        ("export.create", f"export {export['id']}", "key"),
    ]


def test_a_question_is_exported_where_the_caller_prefers_that(acme):
    answer = acme.http.post(
        "/api/v1/query", json=WEEK, headers={"Prefer": "return=minimal, respond-async", "Accept": "text/csv"}
    )
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "respond-async")
    assert answer.headers["Location"] == f"/api/v1/exports/{answer.json()['id']}"
    export = ended(acme, answer.json())
    [part] = parts_of(acme, export)
    at_once = acme.http.post("/api/v1/query", json=WEEK, headers={"Accept": "text/csv"})
    assert gzip.decompress(fetched(part).content) == at_once.content


def test_a_question_asked_again_has_the_same_export(timed, clock):
    prefer = {"Prefer": "respond-async"}
    first, second = (timed.http.post("/api/v1/query", json=WEEK, headers=prefer).json()["id"] for _ in range(2))
    assert first == second
    clock.advance(60)
    assert timed.http.post("/api/v1/query", json=WEEK, headers=prefer).json()["id"] != first
    assert timed.http.post("/api/v1/query", json=WEEK | {"limit": 1}, headers=prefer).json()["id"] != first


def test_pages_and_comparisons_are_answered_at_once(acme):
    prefer = {"Prefer": "respond-async"}
    compared = acme.http.post("/api/v1/query", json=WEEK | {"compare": "previous_period"}, headers=prefer)
    assert compared.status_code == 200
    assert "Preference-Applied" not in compared.headers


QUESTIONS = [
    {"stream": "playlogs", "metrics": ["count", "mean(media_id)", "max(played_at)"], "dimensions": ["player_id"]},
    {"stream": "playlogs", "range": "this month", "grain": "day", "timezone": "Asia/Kathmandu", "order": ["-time"]},
    {
        "stream": "ad_events",
        "metrics": ["sum(spend)", "sum(count)"],
        "dimensions": ["country"],
        "order": ["-sum_spend"],
    },
    {
        "stream": "ad_events",
        "range": "this month",
        "grain": "hour",
        "timezone": "America/New_York",
        "metrics": ["sum(spend)"],
    },
    {
        "stream": "ad_events",
        "metrics": ["distinct(ad_group_id)", "min(time)"],
        "dimensions": ["kind", "country"],
        "limit": 2,
    },
    {"stream": "app_events", "dimensions": ["attributes.plan", "event"], "filter": {"event": ["a", 'b,"']}},
    {"stream": "players", "dimensions": ["name"]},
    {"stream": "playlogs", "filter": {"media_id": -1}, "dimensions": ["id"]},
]


@pytest.fixture(scope="module")
def filled(server):
    """An account with rows of each kind, to which nothing is added."""
    acme = with_plays(Native(server, "filled"))
    spend = [{"spend": "1234567.25"}, {"spend": "-0.000001"}, {}]
    ads = [
        {"ad_group_id": f"g{n % 4}", "time": f"2026-11-01T{n:02}:59:59.5Z", "kind": "paid_click", "id": f"c{n}"}
        | ({} if n % 3 else {"country": "BR"})
        | spend[n % 3]
        for n in range(12)
    ]
    assert acme.send("ad_events", ads).json()["accepted"] == 12
    assert acme.send("applications", [{"application": "A"}]).json()["accepted"] == 1
    events = [{"attributes": {"plan": "x,\n"}}, {"attributes": {}}, {}]
    rows = [
        {"application": "A", "event": ["a", 'b,"', "c"][n % 3], "time": "2026-11-01T08:00:00Z"} | events[n % 2]
        for n in range(9)
    ]
    assert acme.send("app_events", rows).json()["accepted"] == 9
    assert acme.send("players", [{"player_id": n, "name": "ü"} for n in range(3)]).json()["accepted"] == 3
    yield acme
    acme.http.close()


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
def test_an_exported_answer_is_the_one_that_is_given_at_once(filled, question):
    """In CSV and NDJSON byte for byte."""
    for form, media_type in (("csv", "text/csv"), ("ndjson", "application/x-ndjson")):
        [part] = parts_of(filled, made(filled, query=question, format=form, compression="none"))
        at_once = filled.http.post("/api/v1/query", json=question, headers={"Accept": media_type})
        assert fetched(part).content == at_once.content
    [part] = parts_of(filled, made(filled, query=question, format="parquet"))
    parquet = {"Accept": "application/vnd.apache.parquet"}
    at_once = pq.read_table(io.BytesIO(filled.http.post("/api/v1/query", json=question, headers=parquet).content))
    exported = pq.read_table(io.BytesIO(fetched(part).content))
    assert exported.to_pylist() == at_once.to_pylist()
    assert exported.schema.names == at_once.schema.names


@pytest.mark.parametrize("form", ["ndjson", "csv", "parquet"])
@pytest.mark.parametrize("stream", ["playlogs", "ad_events", "players"])
def test_exported_rows_can_be_loaded_again(server, filled, tmp_path, stream, form):
    """They are the same events and versions: nothing is counted twice, nothing changes."""
    plain = {"rows": {"stream": stream}, "format": "ndjson", "compression": "none"}
    before = fetched(parts_of(filled, made(filled, **plain))[0]).content
    [part] = parts_of(filled, made(filled, rows={"stream": stream}, format=form))
    path = tmp_path / part["name"]
    path.write_bytes(fetched(part).content)
    loaded = server.services.intake.files.load(STREAMS[stream], filled.account, path)
    assert (loaded.accepted, loaded.rejected) == (part["rows"], 0)
    after = fetched(parts_of(filled, made(filled, **plain))[0]).content
    assert sorted(after.splitlines()) == sorted(before.splitlines())


def test_long_questions_make_short_pages(acme):
    """A thousand of them would be gigabytes in one answer."""
    ids = []
    for number in range(5):
        long = {"stream": "playlogs", "filter": {"ip": f"{number}" * (1 << 20)}}
        ids.append(acme.http.post("/api/v1/exports", json={"rows": long}).json()["id"])
    pages, cursor = [], None
    while not pages or cursor is not None:
        query = {"limit": 1000} | ({} if cursor is None else {"cursor": cursor})
        answer = acme.http.get("/api/v1/exports", params=query)
        assert len(answer.content) < 5 << 20
        pages.append([each["id"] for each in answer.json()["items"]])
        cursor = answer.json()["next"]
    assert pages == [ids[:1:-1][:3], ids[1::-1]]


def test_the_last_page_is_told(acme):
    ids = [acme.http.post("/api/v1/exports", json={"rows": {"stream": "playlogs"}}).json()["id"] for _ in range(4)]
    first = acme.http.get("/api/v1/exports", params={"limit": 2}).json()
    second = acme.http.get("/api/v1/exports", params={"limit": 2, "cursor": first["next"]}).json()
    assert [each["id"] for each in first["items"] + second["items"]] == ids[::-1]
    assert second["next"] is None
