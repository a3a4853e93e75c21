"""`POST /api/v1/streams/{stream}/events`: what each refusal says, and that it keeps nothing."""

from __future__ import annotations

import errno
import gzip
import http.client
import json
import os
import re
import socket
import subprocess
import threading
import time
from pathlib import Path

import httpx
import pyarrow as pa
import pytest

from airtally.kit.faults import Faults
from fixtures.native import NDJSON
from fixtures.signage import until

PLAY = {"player_id": 1, "media_id": 2, "played_at": "2026-10-01T08:00:00"}
LINE = json.dumps(PLAY).encode()
PATH = "/api/v1/streams/playlogs/events"
CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    422: "unprocessable",
    429: "too_many_requests",
    507: "storage_full",
}


def assert_problem(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem.keys() <= {"title", "status", "code", "detail", "hint"}
    assert (problem["status"], problem["code"]) == (status, CODES[status])
    assert problem["title"]
    assert problem["detail"]
    return problem


def assert_nothing_kept(client, server):
    assert client.count() == 0
    assert server.services.intake.quarantine.entries(client.account) == []


def raw(server, request):
    """An answer to bytes that no client library would send: status, headers, body."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=120) as connection:
        connection.sendall(request)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def head(client, *more, body=LINE, path=PATH, method="POST"):
    lines = [
        f"{method} {path} HTTP/1.1".encode(),
        b"Host: x",
        b"Connection: close",
        f"Authorization: Bearer {client.token}".encode(),
        b"Content-Length: %d" % len(body),
        *more,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


#: One for each place that refuses a body as a whole; what is refused, tests/ingest/decode has.
WRONG_BODIES = {
    "not JSON": (b"player_id=1", "application/json", {}),
    "parquet": (b"PAR1no", "application/vnd.apache.parquet", {}),
    "gzip cut short": (gzip.compress(LINE * 100)[:-9], NDJSON, {"Content-Encoding": "gzip"}),
    "gzip unsaid": (gzip.compress(LINE), NDJSON, {}),
}


@pytest.mark.parametrize("case", WRONG_BODIES)
def test_400_for_what_is_not_of_its_type(client, api_server, case):
    body, media_type, headers = WRONG_BODIES[case]
    assert_problem(client.send("playlogs", body, media_type, **headers, **{"Idempotency-Key": "k"}), 400)
    assert_nothing_kept(client, api_server)
    again = client.send("playlogs", LINE, **{"Idempotency-Key": "k"})
    assert again.status_code == 200, "a refused batch does not use up its key"


def test_401_and_403(client, api_server, join):
    keys = api_server.services.access.keys
    for value in ("", "Bearer", f"Basic {client.token}", f"Bearer {client.token}x", "Bearer \xe9"):
        answer = client.http.post(PATH, content=LINE, headers={"Authorization": value.encode("latin-1")})
        assert_problem(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"
    assert_problem(join(api_server, scopes=("read",)).send("playlogs", LINE), 403)
    keys.revoke(keys.all(client.account)[0].id)
    assert_problem(client.send("playlogs", LINE), 401)


def test_another_kind_of_key_opens_nothing(client, api_server):
    token = api_server.services.access.keys.create(client.account, "fouryousee").credentials["secret_token"]
    answer = client.http.post(PATH, content=LINE, headers={"Authorization": f"Bearer {token}"})
    assert_problem(answer, 401)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_405_for_every_other_method(client, method):
    assert_problem(client.http.request(method, PATH, content=LINE), 405)


@pytest.mark.parametrize(
    "name",
    [
        "nosuch",
        "PLAYLOGS",
        "playlogs%00",
        "..%2f..%2fplaylogs",
        "playlogs/../players",
        "../streams/playlogs",
        "%2e%2e/%2e%2e/etc",
        "%ff%fe",
        "%0d%0aX-Evil:%201",
        "",
        "x" * 5000,
        "{stream}",
        "%7Bstream%7D' OR 1=1",
    ],
)
def test_404_for_every_trick_in_the_name(client, api_server, name):
    path = f"/api/v1/streams/{name.replace(' ', '%20')}/events"
    status, headers, body = raw(api_server, head(client, b"Content-Type: " + NDJSON.encode(), path=path))
    assert status == 404
    assert headers["content-type"] == "application/problem+json"
    assert "x-evil" not in headers
    assert len(body) < 1000
    assert json.loads(body)["code"] == "not_found"
    assert_nothing_kept(client, api_server)


def test_413_as_sent_and_as_announced(client, api_server):
    assert_problem(client.send("playlogs", b" " * ((8 << 20) + 1)), 413)
    announced = head(client, body=b"").replace(b"Content-Length: 0", b"Content-Length: 99999999999")
    assert raw(api_server, announced)[0] == 413, "before any of it is sent"
    chunks = client.http.post(PATH, content=iter([b" " * (1 << 20)] * 9), headers={"Content-Type": NDJSON})
    assert_problem(chunks, 413)
    assert_nothing_kept(client, api_server)


def test_413_for_a_bomb_at_once(client, api_server):
    bomb = gzip.compress(b" " * (33 << 20), 9)
    started = time.process_time()  # work, whatever else the machine does
    assert_problem(client.send("playlogs", bomb, **{"Content-Encoding": "gzip"}), 413)
    assert time.process_time() - started < 5
    assert_nothing_kept(client, api_server)


@pytest.mark.parametrize(
    ("body", "media_type", "encoding"), [(LINE, "text/plain", ""), (b"<p>", "", ""), (LINE, NDJSON, "br")]
)
def test_415(client, api_server, body, media_type, encoding):
    headers = {"Content-Encoding": encoding} if encoding else {}
    problem = assert_problem(client.send("playlogs", body, media_type, **headers), 415)
    assert "gzip or zstd" in problem["hint"] if encoding else "application/x-ndjson" in problem["hint"]
    assert_nothing_kept(client, api_server)


CSV = b"player_id,media_id,played_at\n" + b"".join(b"1,%d,2026-10-01T08:00:00\n" % n for n in range(500)) + b"x,1,\n"


@pytest.mark.parametrize("media_type", ["text/csv", ""])
@pytest.mark.parametrize("encoding", ["", "gzip", "zstd"])
def test_csv(client, api_server, media_type, encoding):
    """As a file of CSV, with the lines of its errors, the quarantine and the key of its batch."""
    packed = {"": CSV, "gzip": gzip.compress(CSV), "zstd": pa.compress(CSV, "zstd", asbytes=True)}[encoding]
    headers = {"Idempotency-Key": "k"} | ({"Content-Encoding": encoding} if encoding else {})
    for _ in range(2):
        answer = client.send("playlogs", packed, media_type, **headers)
        assert answer.json() == {
            "accepted": 500,
            "rejected": 1,
            "errors": [{"line": 502, "field": "player_id", "error": "expected integer, got string"}],
        }
    (entry,) = api_server.services.intake.quarantine.entries(client.account)
    (row,) = api_server.services.intake.quarantine.rows(client.account, entry.id)
    assert row.raw == "x,1,"
    assert client.count() == 500


def test_a_body_without_a_header_is_looked_at(client):
    """Not even an empty one, as a socket sends it; httpx would send none for bytes."""
    assert client.http.post(PATH, content=LINE).json()["accepted"] == 1
    refused = assert_problem(client.http.post(PATH, content=b"<html>"), 415)
    assert (
        refused["detail"]
        == "cannot read a body without a content type, which looks like no format known here: it begins with '<html>'"
    )


def test_422_and_the_scope_of_an_idempotency_key(client, api_server, join):
    """A key is the account's and the stream's, and of one body, however that is packed."""
    key = {"Idempotency-Key": "über … 1"}
    with_key = {name: value.encode() for name, value in key.items()}
    first = client.send("playlogs", LINE, **with_key)
    assert first.status_code == 200, first.text
    packed = client.send("playlogs", gzip.compress(LINE), **with_key, **{"Content-Encoding": "gzip"})
    assert packed.content == first.content
    assert_problem(client.send("playlogs", LINE + b" ", **with_key), 422)
    assert client.count() == 1
    other = join(api_server)
    assert other.send("playlogs", LINE + b" ", **with_key).json()["accepted"] == 1
    player = {"player_id": 1, "name": "Lobby", "last_update_time_utc": "2026-10-01T00:00:00Z"}
    assert client.send("players", json.dumps(player).encode(), **with_key).json()["accepted"] == 1


class Disk(Faults):
    """A disk whose writes fail while there is an error to fail with."""

    error = None

    def reach(self, point):
        if point == "buffer.write" and self.error is not None:
            raise self.error


class Slow(Faults):
    """Holds up the first batch after its claim, where its wrong row goes into quarantine."""

    def __init__(self):
        self.writes = 0
        self.reached, self.released = threading.Event(), threading.Event()

    def reach(self, point):
        if point == "metadata.write" and threading.current_thread().name.startswith("airtally-decode"):
            self.writes += 1
            if self.writes == 2:
                self.reached.set()
                self.released.wait(120)


def test_409_while_the_first_is_under_way(start_server, join):
    slow = Slow()
    client = join(start_server(faults=slow))
    body, answers = LINE + b"\n{}", []
    thread = threading.Thread(target=lambda: answers.append(client.send("playlogs", body, **{"Idempotency-Key": "k"})))
    thread.start()
    try:
        assert slow.reached.wait(120)
        refused = client.send("playlogs", body, **{"Idempotency-Key": "k"})
        assert_problem(refused, 409)
        assert refused.headers["retry-after"] == "1"
        assert_problem(client.send("playlogs", LINE, **{"Idempotency-Key": "k"}), 422)
    finally:
        slow.released.set()
        thread.join(120)
    assert (answers[0].json()["accepted"], answers[0].json()["rejected"]) == (1, 1)
    assert client.send("playlogs", body, **{"Idempotency-Key": "k"}).content == answers[0].content
    assert client.count() == 1


@pytest.mark.parametrize("rows", [1, 300], ids=["gathered", "alone"])
def test_507_and_on_when_there_is_room(start_server, join, rows):
    disk = Disk()
    server = start_server(faults=disk)
    client = join(server)
    body = (LINE + b"\n") * rows
    for headers in ({}, {"Idempotency-Key": "k"}):
        disk.error = OSError(errno.ENOSPC, "No space left on device")
        refused = client.send("playlogs", body, **headers)
        problem = assert_problem(refused, 507)
        assert "nothing of this request was kept" in problem["hint"]
        assert refused.headers["retry-after"] == "30"
        disk.error = None
    assert_nothing_kept(client, server)
    assert client.send("playlogs", body, **{"Idempotency-Key": "k"}).json()["accepted"] == rows
    assert client.count() == rows


def test_429_keeps_nothing_of_rows_with_errors(start_server, join):
    server = start_server(buffer_max=4000)
    client = join(server)
    body = b"\n".join([LINE] * 3000 + [b"{}"])
    refused = client.send("playlogs", body)
    assert_problem(refused, 429)
    assert int(refused.headers["retry-after"]) >= 1
    assert_nothing_kept(client, server)


@pytest.mark.parametrize(
    "header",
    [
        b"Idempotency-Key: k\x00",
        b"Idempotency-Key: k\rX-Evil: 1",
        b"Idempotency-Key: k\x1f",
        b"Idempotency-Key: k\xc2\x85X-Evil: 1",
        b"Idempotency-Key:",
        b"Idempotency-Key: " + b"k" * 256,
        b"Content-Type: text/\xe9\xff; x=\x7f",
        b'Content-Type: "}{\xe2\x80\xa8<script>',
        b"Content-Encoding: gzip\xff",
    ],
)
def test_headers_are_not_believed(client, api_server, header):
    with_type = [] if header.startswith(b"Content-Type") else [b"Content-Type: application/x-ndjson"]
    status, headers, _ = raw(api_server, head(client, header, *with_type))
    assert status in {400, 415}
    assert "x-evil" not in headers
    assert_nothing_kept(client, api_server)
    assert client.send("playlogs", LINE).status_code == 200


def test_a_sender_that_goes_away_leaves_nothing(client, api_server):
    cut = head(client, b"Content-Type: application/x-ndjson").replace(b"Content-Length: ", b"Content-Length: 9")[:-5]
    with socket.create_connection(("127.0.0.1", api_server.port), timeout=120) as connection:
        connection.sendall(cut)
    assert client.send("playlogs", b"").status_code == 200, "no rows, none wrong"
    assert_nothing_kept(client, api_server)


def test_each_refusal_is_counted(client):
    def counted(reason):
        found = re.search(
            rf'airtally_batches_refused_total{{reason="{reason}",stream="playlogs"}} (\S+)',
            client.http.get("/metrics").text,
        )
        return float(found[1]) if found else 0.0

    before = counted("unsupported_media_type")
    client.send("playlogs", LINE, "text/plain")
    assert counted("unsupported_media_type") == before + 1


def test_the_next_question_sees_the_rows(client):
    for number in range(1, 6):
        client.send("playlogs", LINE)
        assert client.count() == number


def test_one_wrong_among_many_connections_at_once(client, api_server):
    """Each gets its own answer, be its body not rows at all, wrong rows, or no text."""
    bodies = [LINE, b'{"player_id": "x"}', LINE, b"\xff\xfe", LINE + b"\n" + LINE, b"\n\n", b"PAR1", LINE]
    expected = [(200, 1, 0), (200, 0, 1), (200, 1, 0), (200, 0, 1), (200, 2, 0), (200, 0, 0), (400, 0, 0), (200, 1, 0)]
    wrong, barrier = [], threading.Barrier(len(bodies))

    def send(body, answer):
        with httpx.Client(base_url=client.http.base_url, headers=client.http.headers, timeout=120) as http:
            barrier.wait()
            for _ in range(6):
                got = http.post(PATH, content=body, headers={"Content-Type": NDJSON})
                said = got.json()
                if (got.status_code, said.get("accepted", 0), said.get("rejected", 0)) != answer:
                    wrong.append((body, got.text))

    threads = [threading.Thread(target=send, args=each) for each in zip(bodies, expected, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert client.count() == 6 * 5
    kept = [entry.rows for entry in api_server.services.intake.quarantine.entries(client.account)]
    assert until(lambda: kept) == [1] * 12


def test_the_guides_command_sends_csv(client, api_server, tmp_path):
    page = (Path(__file__).parents[2] / "docs/guides/ingest.md").read_text()
    (command,) = [each for each in re.findall(r"```sh\n(.+?)```", page, re.DOTALL) if "text/csv" in each]
    (tmp_path / "plays.csv").write_bytes(CSV)
    environment = {**os.environ, "URL": api_server.url, "TOKEN": client.token}
    ended = subprocess.run(["bash", "-ec", command], cwd=tmp_path, env=environment, capture_output=True, check=True)
    assert json.loads(ended.stdout)["accepted"] == client.count() == 500
