"""The native API as a client meets it: rows in, figures out, each refusal with its answer."""

import gzip
import io
import json
import threading

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fixtures.native import NDJSON

PLAY = {"player_id": 1, "media_id": 2, "played_at": "2026-10-01T08:00:00"}
LINE = json.dumps(PLAY).encode()


@pytest.fixture
def acme(client):
    return client


def arrow_stream():
    table = pa.Table.from_pylist([PLAY])
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def parquet():
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([PLAY]), sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("body", "media_type", "encoding"),
    [
        (LINE, NDJSON, ""),
        (gzip.compress(LINE), NDJSON, "gzip"),
        (pa.compress(LINE, "zstd", asbytes=True), NDJSON, "zstd"),
        (LINE, "application/json", ""),
        (b"[" + LINE + b"]", "application/json; charset=utf-8", ""),
        (parquet(), "application/vnd.apache.parquet", ""),
        (arrow_stream(), "application/vnd.apache.arrow.stream", ""),
    ],
    ids=["ndjson", "gzip", "zstd", "object", "array", "parquet", "arrow"],
)
def test_every_form_of_a_body(acme, body, media_type, encoding):
    headers = {"Content-Encoding": encoding} if encoding else {}
    answer = acme.send("playlogs", body, media_type, **headers)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"accepted": 1, "rejected": 0, "errors": []}
    assert acme.count() == 1


def test_wrong_rows_are_told_and_kept_and_the_right_ones_count(acme, api_server):
    answer = acme.send("playlogs", b"\n".join([LINE, b'{"player_id": "x"}', LINE.replace(b"media", b"medium")]))
    assert answer.json()["accepted"] == 1
    assert [(error["line"], error["field"]) for error in answer.json()["errors"]] == [
        (2, "player_id"),
        (3, "medium_id"),
    ]
    quarantine = api_server.services.intake.quarantine
    (entry,) = quarantine.entries(acme.account)
    assert next(quarantine.rows(acme.account, entry.id)).raw == '{"player_id": "x"}'
    assert acme.count() == 1


@pytest.mark.parametrize(
    ("body", "media_type", "headers", "status"),
    [
        (b"[1", "application/json", {}, 400),
        (gzip.compress(LINE)[:-9], NDJSON, {"Content-Encoding": "gzip"}, 400),
        (b"no", "application/vnd.apache.parquet", {}, 400),
        (LINE, NDJSON, {"Authorization": "Bearer nobody's"}, 401),
        (LINE, NDJSON, {"Authorization": "Basic eDp5"}, 401),
        (LINE, "text/plain", {}, 415),
        (LINE, NDJSON, {"Content-Encoding": "br"}, 415),
        (LINE, NDJSON, {"Idempotency-Key": "x" * 300}, 400),
        (b"a bomb", NDJSON, {"Content-Encoding": "gzip"}, 413),
    ],
    ids=["json", "gzip", "parquet", "key", "scheme", "type", "encoding", "idempotency-key", "bomb"],
)
def test_what_is_refused_leaves_nothing(acme, body, media_type, headers, status):
    body = gzip.compress(b" " * (33 << 20), 1) if status == 413 else body
    answer = acme.send("playlogs", body, media_type, **headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert {"title", "code", "detail"} <= answer.json().keys()
    assert acme.count() == 0


def test_unknown_streams_other_methods_and_missing_scopes(api_server, acme, join):
    assert acme.send("nosuch", LINE).status_code == 404
    assert acme.send("..%2f..%2fplaylogs", LINE).status_code == 404
    assert acme.http.get("/api/v1/streams/playlogs/events").status_code == 405
    reader = join(api_server, scopes=("read",))
    assert reader.send("playlogs", LINE).status_code == 403
    writer = join(api_server, scopes=("write",))
    assert writer.ask(stream="playlogs").status_code == 403


def test_a_body_over_the_limit_and_a_full_buffer(start_server, join):
    server = start_server(body_max=2000, buffer_max=20_000)
    acme = join(server)
    assert acme.send("playlogs", LINE * 100).status_code == 413
    statuses = {acme.send("playlogs", (LINE + b"\n") * 20).status_code for _ in range(60)}
    assert statuses == {200, 429}
    refused = acme.send("playlogs", (LINE + b"\n") * 20)
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0
    before = acme.count()
    server.services.storage.event_store.flush()
    assert acme.send("playlogs", LINE).status_code == 200
    assert acme.count() == before + 1


def test_an_idempotency_key_is_accepted_once_also_across_a_restart(start_server, join):
    server = start_server()
    acme = join(server)
    first = acme.send("playlogs", LINE, **{"Idempotency-Key": "k"})
    assert acme.send("playlogs", LINE, **{"Idempotency-Key": "k"}).content == first.content
    assert acme.send("playlogs", LINE + b"\n" + LINE, **{"Idempotency-Key": "k"}).status_code == 422
    server.stop()
    again = start_server()
    acme.http.base_url = again.url
    assert acme.send("playlogs", LINE, **{"Idempotency-Key": "k"}).content == first.content
    assert acme.count() == 1


def test_single_rows_at_once_get_their_own_answers(acme):
    """They are gathered and committed together; a wrong one among them concerns nobody else."""
    answers, barrier = {}, threading.Barrier(24)

    def send(number):
        with httpx.Client(base_url=acme.http.base_url, headers=acme.http.headers, timeout=120) as client:
            barrier.wait()
            for round_ in range(8):
                row = PLAY | {"media_id": number} if number % 6 else {"media_id": number}
                path = "/api/v1/streams/playlogs/events"
                answer = client.post(path, content=json.dumps(row), headers={"Content-Type": NDJSON})
                answers[number, round_] = (answer.json()["accepted"], answer.json()["rejected"])

    threads = [threading.Thread(target=send, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(answer == ((1, 0) if number % 6 else (0, 1)) for (number, _), answer in answers.items())
    rows = acme.ask(stream="playlogs", dimensions=["media_id"]).json()["rows"]
    assert {row["media_id"]: row["count"] for row in rows} == {number: 8 for number in range(24) if number % 6}


def test_another_accounts_key_gets_nothing(api_server, acme, join):
    other, application = join(api_server), f"CODE-{acme.account.slug}"
    acme.send("playlogs", LINE)
    acme.send("applications", [{"application": application}])
    assert other.count() == 0
    refused = other.send("app_events", [{"application": application, "event": "open", "time": "2026-10-01T00:00:00Z"}])
    assert refused.json()["rejected"] == 1
    assert refused.json()["errors"][0]["error"] == "belongs to another account"
    assert acme.count() == 1


@pytest.mark.parametrize(
    ("zone", "first", "after", "hours"),
    [
        ("America/New_York", "2026-03-08", "2026-03-09", 23),
        ("America/New_York", "2026-11-01", "2026-11-02", 25),
        ("Asia/Kathmandu", "2026-06-01", "2026-06-02", 24),
    ],
)
def test_a_day_is_the_accounts_own(api_server, join, zone, first, after, hours):
    """One event every quarter of an hour around the day: the day holds exactly its hours' worth."""
    client = join(api_server, timezone=zone)
    base = {"ad_group_id": "g", "kind": "paid_click"}
    day = int(first[-2:])
    month = int(first[5:7])
    rows = [
        base | {"time": f"2026-{month:02}-{day:02}T00:00:00Z", "id": "start"},
        *(
            base | {"time": _utc(first, quarter * 15), "id": f"q{quarter}"}
            for quarter in range(-24 * 4, 3 * 24 * 4)
            if quarter
        ),
    ]
    assert client.send("ad_events", rows).json()["rejected"] == 0
    offset = {"America/New_York": {3: "-05:00", 11: "-04:00"}, "Asia/Kathmandu": {6: "+05:45"}}[zone][month]
    end_offset = {"America/New_York": {3: "-04:00", 11: "-05:00"}, "Asia/Kathmandu": {6: "+05:45"}}[zone][month]
    answer = client.ask(
        stream="ad_events", bucket="day", start=f"{first}T00:00:00{offset}", end=f"{after}T00:00:00{end_offset}"
    ).json()
    assert [row["count"] for row in answer["rows"]] == [hours * 4]
    assert answer["timezone"] == zone


def _utc(day, minutes):
    from datetime import UTC, datetime, timedelta

    return (datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(minutes=minutes)).isoformat()


@pytest.mark.parametrize(
    "question",
    [
        {},
        {"stream": "playlogs", "metrics": ["mean"]},
        {"stream": "playlogs", "dimensions": ["nosuch"]},
        {"stream": "playlogs", "surprise": 1},
        {"stream": "ad_events", "start": "2026-10-01"},
        {"stream": "playlogs", "timezone": "Mars/Base"},
    ],
)
def test_a_wrong_question_is_answered_in_words(acme, question):
    answer = acme.ask(**question)
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"]


def test_operations(start_server, join):
    server = start_server()
    acme = join(server)
    acme.send("playlogs", LINE)
    assert acme.http.get("/healthz").text == "ok"
    assert acme.http.get("/readyz").json()["ready"] is True
    metrics = acme.http.get("/metrics").text
    assert 'airtally_rows_accepted_total{stream="playlogs"}' in metrics
    server.services.background[0].stop()
    unready = acme.http.get("/readyz")
    assert unready.status_code == 503
    assert "stopped" in unready.json()["checks"]["background"]


@pytest.mark.parametrize(
    ("path", "body"), [("/v1/nope", {"message": "Resource not found."}), ("/api/v1/nope", None), ("/nope", None)]
)
def test_whoever_owns_a_path_owns_its_404(acme, path, body):
    answer = acme.http.get(path)
    assert answer.status_code == 404
    assert answer.json() == body if body else answer.json()["code"] == "not_found"


def test_a_stop_flushes_and_a_start_goes_on(start_server, join):
    server = start_server()
    acme = join(server)
    acme.send("playlogs", LINE)
    folder = server.services.storage.buffer.folder
    server.stop()
    assert list(folder.glob("*.sqlite")) == [], "a stopped server leaves no buffer behind"
    again = start_server()
    acme.http.base_url = again.url
    assert acme.count() == 1
