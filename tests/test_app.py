"""Who answers for a path, and how the server stops."""

from __future__ import annotations

import socket
import threading
from contextlib import closing

import httpx
import pytest
from sqlalchemy import select

from airtally import app
from airtally.areas import area_of
from airtally.console.assets import asset_address
from airtally.database.store import MetadataStore
from airtally.database.tables import writers
from airtally.jobs.queue import Jobs
from airtally.kit.clock import SystemClock
from airtally.kit.faults import Faults
from airtally.settings import Settings
from fixtures.http import check_head
from fixtures.native import Native
from fixtures.server import LiveServer
from fixtures.signage import until

LINE = b'{"player_id": 1, "media_id": 2, "played_at": "2026-10-01T08:00:00"}'


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = LiveServer(Settings(home=tmp_path_factory.mktemp("app"), rate_limits=False, body_max=100_000)).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def client(server):
    native = Native(server, "acme")
    native.http.headers["Secret-Token"] = server.services.access.keys.create(native.account, "fouryousee").credentials[
        "secret_token"
    ]
    yield native
    native.http.close()


NATIVE, VENDOR = "application/problem+json", "application/json"


def owner(answer):
    """Whose body it is, by its form alone."""
    media_type = answer.headers["content-type"]
    if media_type == NATIVE:
        assert {"title", "status", "code", "detail"} <= answer.json().keys()
        assert answer.json()["status"] == answer.status_code
    else:
        assert media_type == VENDOR
        assert answer.json().keys() <= {"message", "details"}
        assert answer.headers["access-control-allow-origin"] == "*"
    return media_type


@pytest.mark.parametrize(
    ("path", "whose"),
    [
        ("/nope", NATIVE),
        ("/nope/at/all", NATIVE),
        ("/acme/1-0123456789abc.gz", NATIVE),
        ("/api/nope", NATIVE),
        ("/api/v2", NATIVE),
        ("/api/v1/nope", NATIVE),
        ("/api/v1/streams/nope", NATIVE),
        ("/api/v1/streams/nope/events", NATIVE),
        ("/v1", VENDOR),
        ("/v1/", VENDOR),
        ("/v1/nope", VENDOR),
        ("/v1/reports/1/2", VENDOR),
        ("/v1/reports/999999", VENDOR),
        ("/v10/nope", NATIVE),
        ("/admin/nope", NATIVE),
        ("/admin/reports_api.php/x", VENDOR),
    ],
)
def test_whoever_owns_a_path_owns_its_404(client, path, whose):
    method = "POST" if path.endswith("/events") else "GET"
    answer = client.http.request(method, path)
    assert answer.status_code == 404, answer.text
    assert owner(answer) == whose


@pytest.mark.parametrize(
    ("method", "path", "whose"),
    [
        ("GET", "/api/v1/sql", NATIVE),
        ("POST", "/api/v1", NATIVE),
        ("GET", "/api/v1/streams/playlogs/events", NATIVE),
        ("POST", "/healthz", NATIVE),
        ("DELETE", "/login", NATIVE),
        ("DELETE", "/acme/1-0123456789abc.gz", NATIVE),
        ("DELETE", "/v1/reports", VENDOR),
        ("POST", "/v1/players", VENDOR),
        ("PUT", "/v1/reports/1", VENDOR),
        ("POST", "/admin/reports_api.php", VENDOR),
    ],
)
def test_and_its_405(client, method, path, whose):
    answer = client.http.request(method, path)
    assert answer.status_code == 405, answer.text
    assert owner(answer) == whose
    allowed = answer.headers["allow"].split(", ")
    assert allowed != [""]
    assert method not in allowed


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    "path", ["/nope", "/nope/at/all", "/admin/nope", "/v10/nope", "/acme/1-0123456789abc.gz", "/api/nope"]
)
@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (BROWSER, "text/html; charset=utf-8"),
        ("text/html", "text/html; charset=utf-8"),
        (None, NATIVE),
        ("*/*", NATIVE),
        ("application/json", NATIVE),
        ("text/html;q=0.5, application/json", NATIVE),
        ("text/html;q=0", NATIVE),
    ],
)
def test_a_person_gets_a_page_and_a_program_json(client, path, accept, form):
    client.http.headers.pop("accept", None)  # the library would say */*
    answer = client.http.get(path, headers={} if accept is None else {"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (404, form)
    assert answer.headers["vary"] == "Accept"
    if form == NATIVE:
        assert owner(answer) == NATIVE
    else:
        assert "<h1>Not Found</h1>" in answer.text
        assert "default-src 'self'" in answer.headers["content-security-policy"]


def test_a_page_of_other_failures(client):
    refused = client.http.delete("/login", headers={"Accept": BROWSER})
    assert (refused.status_code, "<h1>Method Not Allowed</h1>" in refused.text) == (405, True)
    assert {"GET", "HEAD", "POST"} <= set(refused.headers["allow"].split(", "))


@pytest.mark.parametrize(
    "path",
    [
        "/v1/nope",
        "/v1/oauth2/nope",
        "/v1/ad_groups/nope",
        "/apis/v2/nope",
        "/stable/nope",
        "/json/1.3/a/b",
        "/api/v1/nope",
    ],
)
def test_vendors_and_the_native_api_answer_a_browser_as_any_program(client, path):
    asked, by_browser = (client.http.get(path, headers={"Accept": accept}) for accept in ("*/*", BROWSER))
    assert "html" not in by_browser.headers["content-type"]
    assert by_browser.status_code == asked.status_code
    drop = {"handle_time"}  # ScaleEngine's, another at each call
    one, other = (answer.json() for answer in (asked, by_browser))
    assert {name: one[name] for name in one.keys() - drop} == {name: other[name] for name in other.keys() - drop}


@pytest.mark.parametrize("path", ["/healthz", "/login", asset_address("console.css")])
def test_a_head_of_what_can_be_read(client, path):
    check_head(client.http, path, **{"Accept-Encoding": "identity"})


def test_a_head_of_what_changes_at_each_look(client):
    for path in ("/readyz", "/metrics"):
        head = client.http.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert int(head.headers["content-length"]) > 0
        assert head.headers["content-type"] == client.http.get(path).headers["content-type"]


def test_a_head_of_pages_for_who_is_logged_in(client):
    for path in ("/", "/admin/reports_api.php"):
        head, get = client.http.head(path), client.http.get(path)
        assert (head.status_code, head.headers["location"]) == (get.status_code, get.headers["location"])
        assert head.is_redirect


@pytest.mark.parametrize("accept", ["*/*", BROWSER])
def test_a_head_of_what_is_not_there(client, accept):
    check_head(client.http, "/nope", status=404, Accept=accept)


@pytest.mark.parametrize(
    "path",
    [
        *("/v1/reports", "/v1/reports/1", "/v1/players", "/v1/ad_groups/x/insights", "/apis/v2/accounts", "/stable/"),
        *("/dev/", "/json/1.3/getResults", "/api/v1/streams/playlogs/events"),
    ],
)
def test_no_head_where_an_api_has_none(client, path):
    head = client.http.head(path)
    assert (head.status_code, head.content) == (405, b"")
    if path.startswith("/json/"):
        return  # the vendor sends no Allow
    assert "HEAD" not in head.headers["allow"]


def test_every_route_outside_the_apis_that_can_be_read_has_a_head(server):
    apis = ("native", "tapjoy", "fouryousee", "slate", "scaleengine", "pushwoosh")
    readable = {route.path: route.methods for route in server.app._site.routes if "GET" in route.methods}
    outside = {path for path in readable if area_of(path).name not in apis}
    assert {"/healthz", "/readyz", "/metrics", "/", "/login", "/files/{file_id:str}"} <= outside
    assert {path for path in {*outside, "/admin/reports_api.php"} if "HEAD" not in readable[path]} == set()


def test_and_its_413(client):
    body = b" " * ((16 << 20) + 1)
    for path, whose in (
        ("/api/v1/query", NATIVE),
        ("/api/v1/streams/playlogs/events", NATIVE),
        ("/v1/reports", VENDOR),
    ):
        answer = client.http.post(path, content=body)
        assert (answer.status_code, owner(answer)) == (413, whose)


def test_and_its_500_which_tells_nothing(client, server, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr(server.services.queries, "snapshot", broken)
    monkeypatch.setattr(server.services.intake.batches, "begin", broken)
    monkeypatch.setattr(server.services.intake.batches, "unpacked", broken)
    calls = [
        (client.ask(stream="playlogs"), NATIVE),
        (client.send("playlogs", LINE), NATIVE),
        (client.send("playlogs", LINE, **{"Idempotency-Key": "k"}), NATIVE),
        (client.http.get("/v1/players"), VENDOR),
    ]
    for answer, whose in calls:
        assert (answer.status_code, owner(answer)) == (500, whose)
        assert "secret" not in answer.text


class SlowDisk(Faults):
    def __init__(self):
        self.reached, self.released = threading.Event(), threading.Event()

    def reach(self, point):
        if point == "buffer.write":
            self.reached.set()
            self.released.wait(120)


def takes_connections(port):
    with closing(socket.socket()) as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def test_a_stop_answers_flushes_and_lets_go(start_server, tmp_path, opened):
    disk = SlowDisk()
    server = start_server(faults=disk)
    native = opened(Native(server, "acme"))
    services = server.services
    with services.store.begin() as connection:
        services.jobs.add(connection, "a long one", "1", native.account.id)
    assert services.jobs.claim(["a long one"], 3600) is not None
    answers = []
    sending = threading.Thread(target=lambda: answers.append(native.send("playlogs", LINE)))
    sending.start()
    assert disk.reached.wait(120)
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    until(lambda: not takes_connections(server.port))
    assert answers == [], "the request is still under way"
    disk.released.set()
    sending.join(120)
    stopping.join(120)
    assert answers[0].json()["accepted"] == 1
    assert list((tmp_path / "home" / "buffer").iterdir()) == [], "every row is in the lake, every lock is gone"
    with closing(MetadataStore.open(f"sqlite:///{tmp_path}/home/metadata.sqlite")) as store:
        with store.read() as connection:
            assert connection.execute(select(writers)).all() == []
        assert Jobs(store, SystemClock(), "another").claim(["a long one"]) is not None
    again = start_server()
    rows = again.services.storage.lake.existing()[0].newest().prune("acme", None, None)
    assert sum(file.data.rows for file in rows) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_start_that_fails_leaves_nothing_open(start_server, tmp_path, monkeypatch):
    def broken(*_):
        raise RuntimeError("no background today")

    with monkeypatch.context() as patched:
        patched.setattr(app, "background_of", broken)
        server = LiveServer(Settings(home=tmp_path / "home"))
        with closing(server._socket), pytest.raises(RuntimeError, match="did not start"):
            server.start()
    assert list((tmp_path / "home" / "buffer").iterdir()) == []
    assert httpx.get(f"{start_server().url}/readyz").json()["ready"] is True
