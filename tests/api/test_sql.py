"""`POST /api/v1/sql`: answers equal those of /query; attacks are refused and show nothing; bombs end."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import secrets
import socket
import threading
import time
from collections import Counter

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from airtally.query.sql_tables import SQL_TABLES
from airtally.streams import STREAMS
from fixtures.native import Native
from fixtures.sql_attacks import ATTACKS, BOMBS

MARK = "of-the-other-account"


def ask(client, sql, accept="application/json"):
    return client.http.post("/api/v1/sql", json={"sql": sql}, headers={"Accept": accept})


def rows(client, sql):
    answer = ask(client, sql)
    assert answer.status_code == 200, answer.text
    return answer.json()["rows"]


def play(number, **more):
    day = 1 + number % 3
    return {
        "player_id": 7000 + number % 4,
        "media_id": 8000 + number % 5,
        "played_at": f"2026-10-0{day}T08:{number % 60:02}:00",
        "id": f"p{number}",
        "duration_seconds": 1.5,
    } | more


@pytest.fixture(scope="module")
def joined(api_server):
    """Clients of new accounts that several tests read, or add to what they read."""
    made = [Native(api_server, f"sql{secrets.token_hex(4)}") for _ in range(2)]
    yield made
    for each in made:
        each.http.close()


@pytest.fixture(scope="module")
def filled(api_server, joined):
    """Events flushed, late, buffered and sent twice, with a correction; a changelog with versions and deletions."""
    client, _ = joined
    flush = api_server.services.storage.event_store.flush
    assert client.send("playlogs", [play(n) for n in range(40)]).json()["rejected"] == 0
    flush()
    client.send("playlogs", [play(n, media_id=9000) for n in range(10)])  # corrections of flushed rows
    flush()
    client.send("playlogs", [play(n) for n in range(100, 120)] + [play(5, media_id=9001)])
    client.send("playlogs", [play(200, played_at="2025-01-01T00:00:00"), play(201, id=None), play(201, id=None)])
    for number, (name, deleted) in enumerate((("one", 0), ("two", 0), ("two", 1), ("three", 0))):
        stamp = f"2026-10-0{1 + number}T00:00:00Z"
        version = {"name": name, "is_deleted": deleted, "last_update_time_utc": stamp}
        client.send("players", [version | {"player_id": 7000}, version | {"player_id": 7001, "is_deleted": number % 2}])
        if number == 1:
            flush()
    return client


@pytest.fixture(scope="module")
def other(joined):
    """Another account, whose rows lie in the same files."""
    _, client = joined
    client.send("playlogs", [play(n, id=f"{MARK}{n}") for n in range(20)])
    client.send("players", [{"player_id": 7000, "name": MARK, "last_update_time_utc": "2026-10-01T00:00:00Z"}])
    return client


QUESTIONS = [
    ({"metrics": ["count"]}, "SELECT count(*) AS count FROM playlogs"),
    (
        {"metrics": ["count"], "dimensions": ["player_id", "media_id"]},
        "SELECT player_id, media_id, count(*) AS count FROM playlogs GROUP BY ALL",
    ),
    (
        {"metrics": [{"function": "sum", "column": "duration_seconds", "name": "s"}], "dimensions": ["media_id"]},
        "SELECT media_id, sum(duration_seconds) AS s FROM playlogs GROUP BY media_id",
    ),
    (
        {
            "metrics": [{"function": "distinct", "column": "id", "name": "d"}, "count"],
            "filter": {"player_id": [7000, 7001]},
        },
        "SELECT count(DISTINCT id) AS d, count(*) AS count FROM playlogs WHERE player_id IN (7000, 7001)",
    ),
    (
        {
            "metrics": ["count"],
            "start": "2026-10-02T00:00:00",
            "end": "2026-10-03T00:00:00",
            "dimensions": ["player_id"],
        },
        "SELECT player_id, count(*) AS count FROM playlogs "  # noqa: ISC004
        "WHERE played_at >= '2026-10-02' AND played_at < '2026-10-03' GROUP BY 1",
    ),
    (
        {"metrics": [{"function": "max", "column": "media_id", "name": "m"}], "filter": {"media_id": [9000, 9001]}},
        "SELECT max(media_id) AS m FROM playlogs WHERE media_id IN (9000, 9001)",
    ),
]


def in_order(found):
    return sorted(tuple(sorted(row.items())) for row in found)


@pytest.mark.parametrize(("question", "sql"), QUESTIONS)
def test_the_same_question_has_the_same_figures_as_in_query(filled, other, question, sql):
    for _ in range(2):
        expected = filled.ask(stream="playlogs", **question).json()["rows"]
        assert in_order(rows(filled, sql)) == in_order(expected)
        assert expected
        filled.send("playlogs", [play(300 + len(expected))])


def test_the_same_figures_after_compaction(api_server, filled):
    question, sql = QUESTIONS[1]
    before = in_order(rows(filled, sql))
    api_server.services.storage.event_store.flush()
    assert in_order(rows(filled, sql)) == before == in_order(filled.ask(stream="playlogs", **question).json()["rows"])


def test_changelogs_are_as_they_are_now_and_have_their_versions(filled):
    assert rows(filled, "SELECT player_id, name FROM players ORDER BY 1") == [{"player_id": 7000, "name": "three"}]
    versions = rows(
        filled, "SELECT name, is_deleted FROM players_versions WHERE player_id = 7000 ORDER BY last_update_time_utc"
    )
    assert [(each["name"], each["is_deleted"]) for each in versions] == [
        ("one", 0),
        ("two", 0),
        ("two", 1),
        ("three", 0),
    ]
    joined = "SELECT p.name, count(*) AS n FROM playlogs JOIN players p USING (player_id) GROUP BY ALL"
    assert rows(filled, joined) == [{"name": "three", "n": filled.count(filter={"player_id": 7000})}]


def test_rollups_have_the_figures_of_the_rows(client):
    client.send("ad_groups", [{"ad_group_id": f"g-{client.account.slug}", "name": "g", "platform": "iOS"}])
    events = [
        {
            "ad_group_id": f"g-{client.account.slug}",
            "time": f"2026-10-0{1 + n % 2}T0{n % 5}:{n % 60:02}:00Z",
            "id": f"e{n % 30}",
        }
        | {"kind": "paid_click", "country": "BR" if n % 3 else "US", "spend": "0.25"}
        for n in range(50)
    ]
    assert client.send("ad_events", events).json()["rejected"] == 0
    stored = rows(
        client, "SELECT country, sum(events) AS n, sum(spend) AS spend FROM ad_events_quarter GROUP BY 1 ORDER BY 1"
    )
    counted = rows(
        client, "SELECT country, count(*) AS n, sum(spend) * 1000000 AS spend FROM ad_events GROUP BY 1 ORDER BY 1"
    )
    assert [(row["country"], row["n"], int(float(row["spend"]))) for row in stored] == [
        (row["country"], row["n"], int(float(row["spend"]))) for row in counted
    ]
    aligned = "SELECT count(*) AS n FROM ad_events_quarter WHERE epoch(time) % 900 <> 0"
    assert rows(client, aligned) == [{"n": 0}]


@pytest.mark.parametrize("table", SQL_TABLES)
def test_every_table_can_be_read_with_its_columns(client, table):
    answer = ask(client, f"SELECT * FROM {table}").json()
    assert [each["name"] for each in answer["columns"]] == list(SQL_TABLES[table].columns)
    assert answer["rows"] == []
    assert answer["tables"] == [table]


def test_every_stream_is_a_table():
    assert set(STREAMS) <= set(SQL_TABLES)


def test_an_answer_in_every_form(filled):
    sql = (
        "SELECT player_id, id, played_at, duration_seconds FROM playlogs WHERE player_id = 7001 ORDER BY played_at, id"
    )
    answer = ask(filled, sql)
    expected = answer.json()
    assert {"data_through", "generated_at", "timezone", "elapsed_ms", "row_count"} <= set(expected)
    assert expected["row_count"] == len(expected["rows"]) > 0
    arrow = ask(filled, sql, "application/vnd.apache.arrow.stream")
    table = pa.ipc.open_stream(arrow.content).read_all()
    assert arrow.headers["Airtally-Rows"] == str(table.num_rows)
    assert arrow.headers["airtally-data-through"] == expected["data_through"]
    parquet = ask(filled, sql, "application/vnd.apache.parquet")
    assert pq.read_table(io.BytesIO(parquet.content)).to_pylist() == table.to_pylist()
    nulls = pa.csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False)
    csv = pa.csv.read_csv(io.BytesIO(ask(filled, sql, "text/csv").content), convert_options=nulls)
    assert csv["id"].to_pylist() == table["id"].to_pylist()
    lines = ask(filled, sql, "application/x-ndjson")
    assert lines.headers["content-type"].startswith("application/x-ndjson")
    assert [json.loads(line)["id"] for line in lines.text.splitlines()] == [row["id"] for row in expected["rows"]]


def test_a_form_that_there_is_not(client):
    answer = ask(client, "SELECT 1", "image/png")
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")


def test_the_statement_as_the_body_itself(client):
    answer = client.http.post("/api/v1/sql", content="SELECT 1 AS a", headers={"Content-Type": "application/sql"})
    assert answer.json()["rows"] == [{"a": 1}]


def test_bodies_that_are_none(client):
    assert client.http.post("/api/v1/sql", content="{").status_code == 400
    assert client.http.post("/api/v1/sql", json={"sql": 1}).status_code == 422
    assert client.http.post("/api/v1/sql", json={"sql": "SELECT 1", "x": 1}).status_code == 422


def test_a_key_without_the_scope_may_not(api_server, join):
    assert ask(join(api_server, scopes=("write",)), "SELECT 1").status_code == 403


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT\n  nope FROM playlogs", "There is no column `nope` (line 2, column 3)"),
        ("SELECT l.nope FROM playlogs l", "There is no column `nope` (line 1, column 10)"),
        ("SELECT account FROM playlogs", "There is no column `account` (line 1, column 8)"),
        ("SELECT writer_id FROM playlogs", "There is no column `writer_id` (line 1, column 8)"),
        ("SELECT _0_rows_0.id FROM playlogs", "There is no table `_0_rows_0` here (line 1, column 8)"),
        ("SELECT type, count(*) FROM playlogs", "The column `type` stands neither in GROUP BY"),
        (
            "SELECT sum(id) FROM playlogs",
            "The function `sum` does not take arguments of these types (line 1, column 8)",
        ),
        ("SELECT player_id FROM playlogs, players", "The column `player_id` is in several of the tables"),
        ("SELECT CAST(id AS INT) FROM playlogs", "A value cannot be converted"),
        ("SELECT id = played_at - 1 FROM playlogs", "values of types that it does not take"),
        ("SELECT rowid FROM playlogs", "There is no column `rowid`"),
    ],
)
def test_errors_are_in_words_with_their_place(client, sql, words):
    client.send("playlogs", [play(1)])
    answer = ask(client, sql)
    assert answer.status_code == 422
    assert words in answer.json()["detail"]
    assert answer.json()["code"] == "sql_refused"


def test_attacks_are_refused_and_show_nothing(api_server, client, other):
    secret = (
        str(api_server.services.settings.home),
        MARK,
        other.account.slug,
        "Error",
        "duckdb.",
        "/tmp",
        "_rows",
        ".parquet'",
    )
    client.send("playlogs", [play(1)])
    wrong = []
    for listed in ATTACKS.values():
        for statement, words in listed:
            answer = ask(client, statement)
            told = answer.json().get("detail", "")
            if (
                answer.status_code != 422
                or words not in told
                or any(word in told.replace(statement, "") for word in secret[:3])
            ):
                wrong.append((statement, answer.status_code, told))
    assert wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_end_at_a_limit_while_others_are_answered(start_server, join, bomb):
    server = start_server(query_seconds=6.0)
    bomber, quick = join(server), join(server)
    for client in (bomber, quick):
        client.send("playlogs", [play(n) for n in range(300)])
        rows(client, "SELECT 1")
    ended = []
    thread = threading.Thread(target=lambda: ended.append(ask(bomber, BOMBS[bomb])))
    begun = time.monotonic()
    thread.start()
    took = []
    while thread.is_alive():
        at = time.monotonic()
        assert rows(quick, "SELECT count(*) AS n FROM playlogs") == [{"n": 300}]
        assert quick.count() == 300
        took.append(time.monotonic() - at)
    thread.join()
    assert time.monotonic() - begun < 6 + 6
    assert ended[0].json()["code"] == "limit_exceeded", ended[0].text
    assert not took or max(took) < 4
    assert rows(bomber, "SELECT count(*) AS n FROM playlogs") == [{"n": 300}]


def test_digits_after_the_point_stay_in_every_form(client):
    """Only whole decimals are written as whole numbers."""
    sql = "SELECT 2.999 AS b, CAST(-0.5 AS DECIMAL(9, 2)) AS c"
    assert rows(client, sql) == [{"b": "2.999", "c": "-0.50"}]
    assert ask(client, sql, "application/x-ndjson").json() == {"b": "2.999", "c": "-0.50"}
    assert ask(client, sql, "text/csv").text == '"b","c"\n2.999,-0.50\n'


@pytest.mark.parametrize(
    ("sql", "status", "words"),
    [
        ("SELECT 1 AS a, 2 AS a", 422, "Two columns of the answer are called 'a'"),
        ("SELECT CAST('infinity' AS TIMESTAMP) AS a", 422, "cannot hold"),
        ("SELECT DATE '200000-01-01' AS a", 422, "cannot hold"),
        ("SELECT " + ", ".join(f"{n} AS c{n}" for n in range(501)), 422, "501 columns"),
        ("SELECT strftime(now(), '%n') AS a", 422, "strftime"),
    ],
)
def test_answers_that_no_form_can_carry(client, sql, status, words):
    answer = ask(client, sql)
    assert (answer.status_code, words in answer.text) == (status, True), answer.text


def exported(client, answer):
    """The export that an answer tells of, once it is done, and the bytes of its parts."""
    assert (answer.status_code, answer.headers["location"].startswith("/api/v1/exports/")) == (202, True), answer.text
    export = answer.json()
    while export["state"] in {"queued", "running"}:
        time.sleep(0.1)
        export = client.http.get(answer.headers["location"]).json()
    parts = client.http.get(answer.headers["location"] + "/parts").json().get("items", [])
    contents = [client.http.get(each["url"]).content for each in parts]
    assert [hashlib.sha256(each).hexdigest() for each in contents] == [each["sha256"] for each in parts]
    return export, b"".join(contents)


def test_an_answer_that_is_too_large_becomes_an_export(client):
    client.send("playlogs", [play(n) for n in range(330)])
    sql = "SELECT a.id AS a, b.id AS b FROM playlogs a, playlogs b"
    answer = ask(client, sql, "application/x-ndjson")
    assert answer.headers["location"] == ask(client, sql, "application/x-ndjson").headers["location"]
    export, content = exported(client, answer)
    assert (export["state"], export["rows"], export["asked_sql"]) == ("done", 330 * 330, sql)
    found = [json.loads(line) for line in gzip.decompress(content).splitlines()]
    assert len({(each["a"], each["b"]) for each in found}) == 330 * 330


def test_an_answer_is_exported_at_once_where_that_is_preferred(client):
    headers = {"Accept": "application/vnd.apache.parquet", "Prefer": "respond-async"}
    answer = client.http.post("/api/v1/sql", json={"sql": "SELECT 41 + 1 AS a"}, headers=headers)
    assert answer.headers["preference-applied"] == "respond-async"
    export, content = exported(client, answer)
    assert export["format"] == "parquet"
    assert pq.read_table(io.BytesIO(content)).to_pylist() == [{"a": 42}]
    refused = client.http.post("/api/v1/sql", json={"sql": "SELECT read_text('x') AS a"}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (422, "sql_refused")


def test_an_export_of_a_statement_shows_nothing_of_another_account(client, other):
    client.send("playlogs", [play(n) for n in range(3)])
    created = other.http.post("/api/v1/exports", json={"sql": "SELECT id FROM playlogs", "format": "csv"})
    mine = client.http.post("/api/v1/exports", json={"sql": "SELECT id FROM playlogs ORDER BY id", "format": "csv"})
    _, content = exported(client, mine)
    assert gzip.decompress(content).split() == [b'"id"', b'"p0"', b'"p1"', b'"p2"']
    assert client.http.get(created.headers["location"]).status_code == 404


def test_an_answer_that_would_swell_as_text_is_exported(client):
    """Columns of Arrow that are small: names that JSON repeats in each row, and true and false at a bit each."""
    assert client.send("playlogs", [play(n) for n in range(300)]).json()["rejected"] == 0
    names = ", ".join(f'x AS "{"n" * 100}{n}"' for n in range(20))
    many = ask(client, f"SELECT {names} FROM (SELECT true AS x FROM playlogs a, playlogs b LIMIT 60000) AS t")
    assert many.status_code == 202, many.text
    lists = "SELECT l FROM (SELECT list(true) AS l FROM playlogs) AS t, playlogs AS a, playlogs AS b LIMIT 60000"
    deep = ask(client, lists)
    assert deep.status_code == 202, deep.text


def test_statements_that_wait_leave_threads_for_others(client):
    """More than may wait are told at once to come again, and other requests are answered meanwhile."""
    client.send("playlogs", [play(n) for n in range(300)])
    slow = "SELECT count(*) AS n FROM playlogs a, playlogs b, playlogs c "
    slow += "WHERE sqrt(a.player_id + b.media_id + c.media_id) < 0"
    statuses = []
    threads = [threading.Thread(target=lambda: statuses.append(ask(client, slow).status_code)) for _ in range(8)]
    for thread in threads:
        thread.start()
    begun = time.monotonic()
    assert client.http.post("/api/v1/query", json={"stream": "players"}).status_code == 200
    assert time.monotonic() - begun < 5
    for thread in threads:
        thread.join()
    assert 429 in statuses


@pytest.mark.parametrize(
    "form", ["application/json", "text/csv", "application/x-ndjson", "application/vnd.apache.parquet"]
)
@pytest.mark.parametrize(
    "value",
    [
        *("INTERVAL '1 day'", "list_value(INTERVAL '1 day')", "CAST('infinity' AS TIMESTAMP)", "DATE '0001-01-01' - 1"),
        *("list_value(DATE '200000-01-01')", "CAST('24:00:00' AS TIME)", "(1, 2)", "CAST('nan' AS DOUBLE)", "NULL"),
        *("CAST(170141183460469231731687303715884105727 AS HUGEINT)", "list_value(2.5)", "''::BLOB"),
    ],
)
def test_odd_values_are_written_or_refused_in_words(client, value, form):
    """Whatever a statement gives, no form of answer breaks on it."""
    answer = ask(client, f"SELECT {value} AS a", form)
    assert answer.status_code in {200, 422}, answer.text
    assert answer.status_code == 200 or len(answer.json()["detail"]) > 20


ENDLESS = (
    "SELECT count(*) AS n FROM playlogs a, playlogs b, playlogs c, playlogs d "
    "WHERE sqrt(a.player_id + b.media_id + c.media_id + d.media_id) < 0"
)


def hung_up(client, path, body, *, after):
    """Send a request and close the connection without reading its answer."""
    with socket.create_connection((client.http.base_url.host, client.http.base_url.port)) as connection:
        content = json.dumps(body).encode()
        token = client.http.headers["authorization"]
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {token}\r\nContent-Length: {len(content)}\r\n"
        )
        connection.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode() + content)
        time.sleep(after)


def test_a_statement_whose_client_has_left_ends(api_server, client):
    client.send("playlogs", [play(n) for n in range(300)])
    rows(client, "SELECT 1")
    slots = api_server.services.sql._runner._slots
    for _ in range(2):  # one runs, the other waits
        hung_up(client, "/api/v1/sql", {"sql": ENDLESS}, after=0.3)
    deadline = time.monotonic() + 10
    while (slots._holders or len(slots._waiting)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (slots._holders, len(slots._waiting)) == ({}, 0)
    assert rows(client, "SELECT count(*) AS n FROM playlogs") == [{"n": 300}]


@pytest.mark.slow
def test_six_accounts_that_flood_hold_up_no_other(start_server, join):
    """Each sends statements that never end, from six threads; all others are answered."""
    server = start_server(query_seconds=8.0)
    loud, quiet = [join(server) for _ in range(6)], join(server)
    for client in (*loud, quiet):
        client.send("playlogs", [play(n) for n in range(300)])
    statuses, over = Counter(), threading.Event()

    def flood(client):
        while not over.is_set():
            answer = ask(client, ENDLESS)
            statuses[answer.status_code, answer.json()["code"], "retry-after" in answer.headers] += 1
            over.wait(0.05)  # clients and server share this process

    rows(quiet, "SELECT 1")
    threads = [threading.Thread(target=flood, args=(each,)) for each in loud for _ in range(6)]
    for thread in threads:
        thread.start()
    took = []
    begun = time.monotonic()
    while time.monotonic() - begun < 12 or len(took) < 6:
        at = time.monotonic()
        assert rows(quiet, "SELECT count(*) AS n FROM playlogs") == [{"n": 300}]
        assert quiet.count() == 300
        assert quiet.send("playlogs", [play(1)]).status_code == 200
        took.append(time.monotonic() - at)
    over.set()
    for thread in threads:
        thread.join()
    assert max(took) < 30, (took, statuses)  # one after the other, the 36 statements of 8 s would take minutes
    assert set(statuses) <= {
        (422, "limit_exceeded", False),
        (429, "too_many_requests", True),
        (503, "unavailable", True),
    }
    assert statuses[429, "too_many_requests", True]


def test_long_conditions_are_answered(client):
    client.send("playlogs", [play(n) for n in range(30)])
    many = " OR ".join(f"player_id = {7000 + n}" for n in range(900))
    assert rows(client, f"SELECT count(*) AS n FROM playlogs WHERE {many}") == [{"n": 30}]
    listed = ", ".join(f"'p{n}'" for n in range(10, 5010))
    assert rows(client, f"SELECT count(*) AS n FROM playlogs WHERE id IN ({listed})") == [{"n": 20}]
