"""The outermost layer on the real server: keys are checked before the body is read, and no caller blocks another."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from airtally.kit import fair_executor
from airtally.kit.errors import StorageFull
from airtally.settings import Settings
from fixtures.captured import captured_logs
from fixtures.native import Native
from fixtures.served import read_all
from fixtures.server import LiveServer

#: What a POST there is answered without a key, and whether the key stands in the body.
REFUSALS = {
    "/api/v1/query": (401, False),
    "/api/v1/slate/groups": (401, False),
    "/api/v1/streams/playlogs/events": (401, False),
    "/api/v1/nowhere": (404, False),
    "/v1/reports": (401, False),
    "/v1/oauth2/token": (401, False),
    "/v1/ad_groups/a/insights": (405, False),
    "/apis/v2/accounts": (405, False),
    "/nowhere": (404, False),
    "/healthz": (405, False),
    "/stable/": (413, True),
    "/dev/": (413, True),
    "/json/1.3/getTags": (413, True),
    "/auth/o2/token": (400, True),
    "/login": (413, True),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = LiveServer(Settings(home=tmp_path_factory.mktemp("callers"), rate_limits=False)).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def native(server: LiveServer) -> Iterator[Native]:
    native = Native(server, "acme")
    yield native
    native.http.close()


def begin(server: LiveServer, path: str, length: int = 60_000_000, **headers: str) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: x",
        f"Content-Length: {length}",
        *(f"{n}: {v}" for n, v in headers.items()),
    ]
    client.sendall("\r\n".join([*lines, "", ""]).encode())
    return client


def status_of(client: socket.socket) -> int:
    return int(client.recv(2000).split(b" ", 2)[1])


@pytest.mark.parametrize(("path", "status"), [(path, status) for path, (status, _) in REFUSALS.items()])
def test_without_a_key_no_body_is_waited_for(server: LiveServer, path: str, status: int) -> None:
    with begin(server, path) as client:
        client.sendall(b"a" * 1000)

        assert status_of(client) == status


@pytest.mark.parametrize("path", [path for path, (_, in_body) in REFUSALS.items() if not in_body])
def test_a_wrong_key_is_refused_before_the_body_too(server: LiveServer, path: str) -> None:
    wrong = {"Authorization": "Bearer wrong", "Secret-Token": "wrong"}
    with begin(server, path, **wrong) as client:
        assert status_of(client) == REFUSALS[path][0]


@pytest.mark.parametrize("path", [path for path, (_, in_body) in REFUSALS.items() if in_body])
def test_where_the_key_is_in_the_body_no_more_than_a_mebibyte_is_read(server: LiveServer, path: str) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        for _ in range(60):  # 6 MB, without a word of its size before
            client.sendall(b"%x\r\n%s\r\n" % (100_000, b"a" * 100_000))

        assert status_of(client) == REFUSALS[path][0]


def test_stalled_bodies_hold_no_more_memory_than_one_address_may(server: LiveServer, native: Native) -> None:
    held = server.app._bodies
    clients = [
        begin(server, "/api/v1/streams/playlogs/events", Authorization=f"Bearer {native.token}") for _ in range(4)
    ]
    for client in clients:
        client.sendall(b"a" * 1_000_000)
    deadline = time.monotonic() + 60
    while held._total <= 3_000_000 and time.monotonic() < deadline:
        time.sleep(0.01)
    most = max(held._held.values())
    for client in clients:
        client.close()
    while held._total and time.monotonic() < deadline:
        time.sleep(0.01)

    assert 3_000_000 < most <= 4_100_000
    assert held._total == 0


def test_a_client_that_goes_away_in_mid_body_is_no_error(server: LiveServer, native: Native) -> None:
    for path in ("/api/v1/streams/playlogs/events", "/api/v1/query", "/json/1.3/getTags", "/login"):
        with captured_logs() as logs:
            with begin(server, path, length=100, Authorization=f"Bearer {native.token}") as client:
                client.sendall(b"{")
            deadline = time.monotonic() + 60
            while not any(each["event"] == "request" for each in logs) and time.monotonic() < deadline:
                time.sleep(0.01)

        assert [each["status"] for each in logs if each["event"] == "request"] == [400], path
        assert not [each for each in logs if each["log_level"] in {"error", "warning"}], path


@pytest.mark.parametrize(
    "path",
    [
        "/healthz",
        "/v1/players",
        "/apis/v2/accounts",
        "/stable/",
        "/json/1.3/getTags",
        "/v1/ad_groups/a/insights",
        "/api/v1/query",
    ],
)
def test_a_host_that_is_no_host_is_refused_in_the_owners_words(server: LiveServer, path: str) -> None:
    answer = httpx.get(server.url + path, headers={"Host": "a b/c"})

    assert answer.status_code == 400 or (path == "/stable/" and "0004" in answer.text), answer.text
    assert answer.headers["content-type"].startswith(("application/json", "application/problem+json"))


@pytest.mark.parametrize("path", ["/healthz", "/login", "/v1/players", "/nowhere", "/api/v1/streams/playlogs/events"])
def test_no_answer_is_guessed_to_be_something_else(server: LiveServer, path: str) -> None:
    answer = httpx.get(server.url + path)

    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "strict-transport-security" not in answer.headers


def test_pages_behind_tls_stay_there(tmp_path: Path, tls: tuple[Path, Path]) -> None:
    server = LiveServer(Settings(home=tmp_path, rate_limits=False))
    server.use_tls(*tls)
    server.start()
    try:
        with httpx.Client(base_url=server.url, verify=False) as client:
            assert "max-age" in client.get("/login").headers["strict-transport-security"]
            assert "strict-transport-security" not in client.get("/v1/players").headers
    finally:
        server.stop()


def test_a_failure_of_the_server_is_logged_with_its_cause(server: LiveServer, native: Native, monkeypatch: Any) -> None:
    def full(*_: object, **__: object) -> None:
        raise StorageFull("There is no room") from OSError(28, "No space left on device")

    monkeypatch.setattr(server.services.queries, "answer", full)
    with captured_logs() as logs:
        assert native.ask(stream="playlogs").status_code == 507

    failed = [each for each in logs if each["event"] == "request failed"]
    assert [(each["code"], each["cause"]) for each in failed] == [
        ("storage_full", "OSError: [Errno 28] No space left on device")
    ]


def test_guesses_wait_and_right_keys_do_not(server: LiveServer, native: Native) -> None:
    waited = []
    with httpx.Client(base_url=server.url) as guesser:
        for n in range(15):
            started = time.monotonic()
            answer = guesser.post("/json/1.3/getTags", content=json.dumps({"request": {"auth": f"guess{n}"}}))
            waited.append(time.monotonic() - started)
            assert answer.status_code == 200
    started = time.monotonic()

    assert native.ask(stream="playlogs").status_code == 200
    assert time.monotonic() - started < min(waited[-1], 0.5)
    assert waited[-1] > 0.3


def test_an_account_whose_requests_all_wait_keeps_none_of_another_waiting(
    server: LiveServer, native: Native, monkeypatch: Any
) -> None:
    """Whatever they wait for: the threads of one account's requests are not those of another's."""
    other, release = Native(server, "rival"), threading.Event()
    answer = server.services.queries.answer

    def waits(question: Any) -> Any:
        if question.account == "acme":
            release.wait(20)
        return answer(question)

    monkeypatch.setattr(server.services.queries, "answer", waits)
    threads = [threading.Thread(target=native.ask, kwargs={"stream": "playlogs"}) for _ in range(60)]
    for thread in threads:
        thread.start()
    try:
        deadline = time.monotonic() + 10
        while len(fair_executor.THREADS._waiting) < 50 and time.monotonic() < deadline:
            time.sleep(0.01)
        started = time.monotonic()
        assert other.ask(stream="playlogs").status_code == 200
        assert httpx.get(server.url + "/readyz").status_code in {200, 503}
        assert time.monotonic() - started < 5
    finally:
        release.set()
        for thread in threads:
            thread.join(20)
        other.http.close()


def test_a_body_that_is_refused_is_heard_out(server: LiveServer) -> None:
    with begin(server, "/v1/reports", length=8_000_000) as client:
        client.sendall(b"a" * 8_000_000)
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

        answers = read_all(client)
    assert (answers.count(b"HTTP/1.1 401 "), answers.count(b"HTTP/1.1 200 ")) == (1, 1)
