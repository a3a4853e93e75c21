"""Device calls that cannot be kept, that mean harm, or that come when the server demands tokens."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airtally.kit.errors import StorageFull
from airtally.kit.faults import Faults
from airtally.settings import Settings
from airtally.streams import STREAMS
from fixtures.opened import Opened
from fixtures.push_devices import App
from fixtures.server import LiveServer

INTERNAL = '{"status_code":500,"status_message":"Internal error","response":null}'
MALFORMED = '{"status_code":400,"status_message":"Malformed request string","response":null}'

WRITES: list[tuple[str, dict[str, Any]]] = [
    ("postEvent", {"event": "Open"}),
    ("setTags", {"tags": {"T": ["a"]}}),
    ("registerDevice", {"device_type": 3, "tags": {"T": ["a"]}}),
]


def body(app: App, **fields: Any) -> bytes:
    return json.dumps({"request": {"application": app.code, "hwid": "d"} | fields}).encode()


class FullDisk(Faults):
    """Refuses writes of the buffer while `full`."""

    full = False

    def reach(self, point: str) -> None:
        if self.full and point == "buffer.write":
            raise StorageFull("full")


@pytest.fixture
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[App, FullDisk]]:
    faults = FullDisk()
    settings = Settings(home=tmp_path_factory.mktemp("faulty") / "home", rate_limits=False)
    server = LiveServer(settings, faults=faults).start()
    app = App(server)
    app.declare_event("Open")
    app.declare_tag("T", 3)
    yield app, faults
    app.close()
    server.stop()


def stored(app: App) -> list[Any]:
    """Rows come in no order."""
    current = app.server.services.queries.current
    rows = [current(STREAMS[name], app.account.slug).table.to_pylist() for name in ("devices", "device_tags")]
    return [sorted(each, key=repr) for each in (app.events(), *rows)]


def test_a_full_disk_keeps_nothing_of_a_call(faulty: tuple[App, FullDisk]) -> None:
    app, faults = faulty
    for method, fields in WRITES:
        faults.full = True
        answer = app.post(method, body(app, **fields))
        faults.full = False
        assert (answer.status_code, answer.text) == (500, INTERNAL)
        assert stored(app) == [[], [], []]
    for method, fields in WRITES:
        app.done(method, hwid="d", **fields)
    assert [len(rows) for rows in stored(app)] == [1, 1, 1]


def test_rows_that_could_not_be_kept_may_leave_a_declaration(faulty: tuple[App, FullDisk]) -> None:
    """The other order could leave an acknowledged row without one."""
    app, faults = faulty
    row = {"application": app.code, "event": "Late", "time": "2026-03-10T00:00:00Z"}
    faults.full = True
    assert app.native.send("app_events", [row]).status_code == 507
    faults.full = False
    assert app.events() == []
    assert app.server.services.access.declared.event(app.account, app.code, "Late") is not None
    assert app.native.send("app_events", [row]).json()["accepted"] == 1


def test_a_full_buffer_keeps_nothing_of_a_call(start_server: Callable[..., LiveServer], opened: Opened) -> None:
    app = opened(App(start_server(buffer_max=4000)))
    app.declare_event("Open")
    app.declare_tag("T", 3)
    app.server.services.storage.event_store.flush()
    for number in range(100):
        answer = app.post("postEvent", body(app, event="Open", userId=f"u{number}"))
        if answer.status_code != 200:
            break
    assert (answer.status_code, answer.text) == (500, INTERNAL)
    before = stored(app)
    for method, fields in WRITES:
        assert app.post(method, body(app, **fields)).text == INTERNAL
    assert stored(app) == before


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"{",
        b"[]",
        b'{"request": []}',
        b'{"request": {"hwid": "\xff"}}',
        b'{"request": {"hwid": "\\ud800"}}',
        b'{"request": {"tags": ' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}}",
        b'{"request": {"attributes": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
    ],
    ids=lambda sent: str(sent[:30]),
)
def test_bodies_that_are_no_request(app: App, sent: bytes) -> None:
    for method in ("postEvent", "setTags", "registerDevice"):
        answer = app.post(method, sent)
        assert (answer.status_code, answer.text) == (400, MALFORMED)


def test_a_body_over_the_limit(app: App) -> None:
    answer = app.post("setTags", body(app, tags={"T": "x" * (1 << 20)}))
    assert (answer.status_code, answer.text) == (413, MALFORMED)


def test_hostile_but_well_formed(app: App) -> None:
    app.declare_tag("T", 3)
    app.declare_event("Open", s=2)
    many = {f"t{number}": number for number in range(5000)}
    response = app.done("setTags", hwid="d", tags=many | {"T": ["x"]})
    assert len(response["skipped"]) == 5000
    nested: Any = "x"
    for _ in range(50):
        nested = {"operation": "append", "value": [nested]}
    assert app.done("setTags", hwid="d", tags={"T": nested})["skipped"] == [{"tag": "T", "reason": "Invalid value"}]
    app.done("postEvent", event="Open", hwid="d", attributes=many | {"s": nested})
    app.done("postEvent", event="Open", hwid="'; DROP TABLE devices; --", attributes={"s": "%' OR 1=1"})
    assert app.tags("d") == {"T": ["x"]}
    assert app.tags("' OR 1=1 --") == {}
    assert [row["count"] for row in app.events()] == [1, 1]
    big = app.post("postEvent", b'{"request":{"application":"%s","event":"Open","hwid":"d","timestampUTC":1%s}}'
                   % (app.code.encode(), b"0" * 4000))  # fmt: skip
    assert big.json()["status_message"] in {"Invalid timestamp", "Malformed request string"}


def test_a_strict_server_demands_a_device_token(start_server: Callable[..., LiveServer], opened: Opened) -> None:
    app = opened(App(start_server(pushwoosh_strict_device_token=True)))
    app.declare_event("Open")
    token = {"Authorization": f"Token {app.key('pushwoosh-device')}"}
    for method, fields in (*WRITES, ("getTags", {}), ("deleteDevice", {})):
        assert app.fault(method, hwid="d", auth=app.token, **fields) == "Account not found"
        assert app.call(method, hwid="d", headers=token, **fields)["status_code"] == 200


def test_a_device_of_one_account_is_not_anothers(app: App, opened: Opened) -> None:
    """Two accounts with equal hwids, tags and users never meet."""
    rival = opened(App(app.server))
    for each, value in ((app, "mine"), (rival, "theirs")):
        each.declare_tag("T", 2)
        each.done("registerDevice", hwid="d", device_type=3, userId="u", tags={"T": value})
    assert (app.tags("d"), rival.tags("d")) == ({"T": "mine"}, {"T": "theirs"})
    rival.done("deleteDevice", hwid="d")
    rival.done("deleteDevice", hwid="d", userId="u")
    assert app.tags("d") == {"T": "mine"}
    assert app.done("getTags", userId="u") == {"result": {"T": "mine"}}
