"""The lake over HTTP: status, work on tables as tasks, rollups, missing files and writers."""

from __future__ import annotations

import json
import time

import httpx
import pytest
from sqlalchemy import insert, select

from airtally.accounts.permissions import UserRole
from airtally.database.tables import writers
from airtally.kit.clock import MovableClock
from airtally.settings import Settings
from fixtures.accounts import NOW_US
from fixtures.native import Native
from fixtures.server import LiveServer

PLAY = {"player_id": 1, "media_id": 2}
CLICK = {"ad_group_id": "g", "kind": "paid_click"}


class Operator:
    """An operator on a server, and an account with rows on two days in several files."""

    def __init__(self, server):
        self.server, self.native = server, Native(server, "acme")
        access = server.services.access
        user = access.users.create(
            self.native.account,
            username="op",
            name="Op",
            email="o@x.org",
            password="long enough",
            role=UserRole.OPERATOR,
        )
        token = access.keys.create(self.native.account, "native", user=user).credentials["token"]
        self.http = httpx.Client(
            base_url=f"{server.url}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=120
        )
        for number in range(3):
            plays = [PLAY | {"id": f"{number}{day}", "played_at": f"2026-10-0{day}T08:00:00"} for day in (1, 2)]
            self.native.send("playlogs", plays)
            clicks = [CLICK | {"id": f"{number}", "time": "2026-10-01T08:00:00Z"}]
            self.native.send("ad_groups", [{"ad_group_id": "g", "name": "g", "platform": "iOS"}])
            assert self.native.send("ad_events", clicks).json()["rejected"] == 0
            server.services.storage.event_store.flush()

    def get(self, path, status=200, **params):
        answer = self.http.get(path, params=params)
        assert answer.status_code == status, answer.text
        return answer.json()

    def done(self, **asked):
        """A task, ended."""
        made = self.http.post("/lake/tasks", json=asked)
        assert made.status_code == 202, made.text
        location = made.headers["Location"].removeprefix("/api/v1")
        deadline = time.monotonic() + 60
        while (task := self.get(location))["state"] in {"waiting", "running"} and time.monotonic() < deadline:
            time.sleep(0.05)
        return task


@pytest.fixture(scope="module")
def operator(tmp_path_factory):
    settings = Settings(home=tmp_path_factory.mktemp("lake") / "home", rate_limits=False)
    server = LiveServer(settings, MovableClock(NOW_US)).start()
    operator = Operator(server)
    yield operator
    operator.http.close()
    operator.native.http.close()
    server.stop()


def table(operator, stream="playlogs"):
    (found,) = operator.get("/lake/tables", stream=stream)["items"]
    return found


def test_a_table_is_compacted(operator):
    before = table(operator)
    assert (before["rows"], before["days"], before["warnings"]) == (6, 2, [])
    task = operator.done(action="compact", stream="playlogs")
    assert (task["state"], task["error"], task["requested_by"]) == ("done", None, "user op")
    assert [each["stream"] for each in task["results"]] == ["playlogs"]
    after = table(operator)
    assert (after["rows"], after["files"], after["uncompacted_files"]) == (6, 2, 0)
    assert operator.native.count() == 6
    assert operator.get("/lake/tasks")["items"][0] == task
    entry = operator.get("/audit", everywhere=True)["items"][0]
    assert (entry["action"], entry["target"]) == ("lake.compact", "stream playlogs")


def test_all_tables_at_once(operator):
    task = operator.done(action="expire")
    names = [each["stream"] for each in operator.get("/lake/tables")["items"]]
    assert task["results"] == [{"stream": name, "rows_removed": 0} for name in names]
    assert operator.done(action="give-up-missing", stream="ad_groups")["results"] == [
        {"stream": "ad_groups", "files": []}
    ]


def test_rollups_are_shown_built_and_built_anew(operator):
    (done,) = operator.done(action="rollups", stream="ad_events")["results"]
    (state,) = operator.get("/lake/rollups", stream="ad_events")["items"]
    assert (state["rollup"], state["months"], state["stale_months"]) == (done["rollup"], 1, 0)
    rows = state["rows"]
    (again,) = operator.done(action="rebuild-rollups", stream="ad_events")["results"]
    assert again["months_made"] == 1
    (state,) = operator.get("/lake/rollups", stream="ad_events")["items"]
    assert (state["rows"], state["stale_months"]) == (rows, 0)
    assert {each["stream"] for each in operator.get("/lake/rollups")["items"]} > {"ad_events"}


def test_missing_files_are_listed_and_given_up(operator):
    lake = operator.server.services.storage.lake
    gone = sorted((operator.server.services.settings.home / "lake" / "ad_groups").rglob("*.parquet"))
    rows = table(operator, "ad_groups")["rows"]
    gone[0].unlink()
    (found,) = operator.get("/lake/missing-files", stream="ad_groups")["items"]
    assert (found["stream"], found["given_up"]) == ("ad_groups", False)
    assert operator.get("/lake/missing-files")["items"] == [found]
    (given_up,) = operator.done(action="give-up-missing", stream="ad_groups")["results"]
    assert given_up["files"] == [found | {"given_up": True}]
    assert operator.get("/lake/missing-files")["items"] == []
    assert table(operator, "ad_groups")["rows"] == rows - found["rows"]
    assert lake.existing()


def test_a_writer_is_given_up_once_it_is_silent(operator):
    services = operator.server.services
    own = operator.get("/lake/writers")["items"]
    assert [each["state"] for each in own] == ["live"]
    refused = operator.http.delete(f"/lake/writers/{own[0]['id']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    lost = {"buffer_id": "lost", "host": "far", "seen_at": NOW_US - 10**9, "data_through": 1, "flush_wanted_at": 0}
    with services.store.begin() as connection:
        connection.execute(insert(writers).values(lost))
    assert [each["state"] for each in operator.get("/lake/writers")["items"]] == ["silent", "live"]
    assert operator.http.delete("/lake/writers/lost").status_code == 204
    assert operator.http.delete("/lake/writers/lost").status_code == 404
    with services.store.read() as connection:
        assert connection.execute(select(writers.c.buffer_id)).scalars().all() == [own[0]["id"]]
    assert operator.get("/audit", everywhere=True)["items"][0]["target"] == "writer lost"


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ({"action": "compact", "stream": "x"}, 404, "no stream 'x'"),
        ({"action": "burn"}, 422, "action"),
        ({}, 422, "action"),
        ({"action": "compact", "rows": 1}, 422, "rows"),
    ],
)
def test_what_cannot_be_asked(operator, asked, status, words):
    answer = operator.http.post("/lake/tasks", json=asked)
    assert answer.status_code == status
    assert words in json.dumps(answer.json())


def test_only_operators_see_the_lake(operator):
    for path in ("tables", "rollups", "missing-files", "writers", "tasks", "tasks/1"):
        assert operator.native.http.get(f"/api/v1/lake/{path}").status_code == 403
    operator.get("/lake/tables", 404, stream="x")
    operator.get("/lake/tasks/99", 404)
