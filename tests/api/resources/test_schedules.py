"""Schedules over HTTP: made, listed, changed, run and read, on a server whose clock moves."""

from __future__ import annotations

import time

import httpx
import pytest

from airtally.kit.clock import MovableClock
from airtally.settings import Settings
from fixtures.accounts import NOW_US
from fixtures.native import Native
from fixtures.server import LiveServer

DAY = 86_400
ROWS = {"rows": {"stream": "playlogs", "range": "yesterday"}, "compression": "none"}
NEW = {"name": "Plays", "cron": "0 6 * * *", "export": ROWS}


@pytest.fixture
def clock():
    return MovableClock(NOW_US)


@pytest.fixture
def server(tmp_path, clock):
    server = LiveServer(Settings(home=tmp_path / "home", rate_limits=False), clock).start()
    yield server
    server.stop()


@pytest.fixture
def acme(server, opened):
    return opened(Native(server, "acme", "America/Sao_Paulo", scopes=("read", "write", "admin")))


def api(native: Native, method: str, path: str = "", **more) -> httpx.Response:
    return native.http.request(method, f"/api/v1/schedules{path}", **more)


def created(native: Native, **changes) -> dict:
    answer = api(native, "POST", json=NEW | changes)
    assert answer.status_code == 201, answer.text
    return answer.json()


def ended(native: Native, schedule: dict, count: int = 1) -> list[dict]:
    """The schedule's runs, newest first, once so many have ended."""
    deadline = time.monotonic() + 60
    while True:
        runs = api(native, "GET", f"/{schedule['id']}/runs").json()["items"]
        if len([run for run in runs if run["state"] in {"done", "failed", "skipped"}]) >= count:
            return runs
        assert time.monotonic() < deadline, runs
        time.sleep(0.05)


def test_it_says_when_it_runs(acme):
    made = created(acme, timezone="Europe/Berlin")
    assert made["next_at"] == "2026-11-03T05:00:00.000000Z"
    assert [each["slot"] for each in made["next_slots"]] == [f"2026-11-0{day}T05:00:00.000000Z" for day in range(3, 8)]
    assert api(acme, "GET", f"/{made['id']}").json() == made
    (listed,) = api(acme, "GET").json()["items"]
    assert listed == {name: value for name, value in made.items() if name != "next_slots"}
    assert made["requested_by"].startswith("key:")


def test_slots_are_shown_before_anything_is_stored(acme):
    """The next ones of the created schedule, on the clocks of the account's zone or of the one that is asked for."""
    asked = {"cron": "0 6 * * *"}
    shown = acme.http.get("/api/v1/schedule-slots", params=asked).json()
    assert api(acme, "GET").json()["items"] == []
    assert (shown["timezone"], len(shown["slots"])) == ("America/Sao_Paulo", 5)
    assert shown["slots"] == [each["slot"] for each in created(acme)["next_slots"]]
    kathmandu = acme.http.get("/api/v1/schedule-slots", params=asked | {"timezone": "Asia/Kathmandu", "number": 1})
    assert [each[11:16] for each in kathmandu.json()["slots"]] == ["00:15"]
    for wrong in ({"cron": "61 * * * *"}, {"cron": "0 6 * * *", "timezone": "Asia/Atlantis"}):
        answer = acme.http.get("/api/v1/schedule-slots", params=wrong)
        assert (answer.status_code, "cannot be used" in answer.json()["detail"]) == (422, True)


def test_a_slot_that_comes_is_made_and_its_file_is_fetched(acme, clock):
    acme.send("playlogs", [{"played_at": "2026-11-02T08:00:00", "player_id": 1, "media_id": 7}])
    made = created(acme, jitter_seconds=600)
    clock.advance(DAY)
    (run,) = ended(acme, made)
    assert (run["state"], run["slot"], run["as_of"]) == (
        "done",
        "2026-11-03T09:00:00.000000Z",
        "2026-11-03T09:00:00.000000Z",
    )
    assert run["due_at"] == made["next_at"]
    (part,) = acme.http.get(f"/api/v1/exports/{run['export_id']}/parts").json()["items"]
    header, row = httpx.get(part["url"]).text.splitlines()
    assert dict(zip(header.split(","), row.split(","), strict=True))["media_id"] == "7"
    assert api(acme, "GET", f"/{made['id']}/runs/{run['id']}").json() == run


def test_a_run_asked_for_twice_with_one_key_is_one(acme):
    made = created(acme)
    headers = {"Idempotency-Key": "again"}
    body = {"as_of": "2026-10-05T12:00:00-03:00"}
    first, second = (api(acme, "POST", f"/{made['id']}/runs", json=body, headers=headers) for _ in range(2))
    assert first.status_code == 202
    assert first.json() == second.json()
    (run,) = ended(acme, made)
    assert first.headers["Location"] == f"/api/v1/schedules/{made['id']}/runs/{run['id']}"
    assert (run["slot"], run["as_of"], run["state"]) == (None, "2026-10-05T15:00:00.000000Z", "done")
    export = acme.http.get(f"/api/v1/exports/{run['export_id']}").json()
    assert export["as_of"] == "2026-10-05T15:00:00.000000Z"


def test_a_change_keeps_what_it_leaves_out(acme):
    made = created(acme, timezone="Europe/Berlin", most_failures=2)
    path = f"/{made['id']}"
    changed = api(acme, "PATCH", path, json={"cron": "0 7 * * *", "timezone": None}).json()
    assert (changed["cron"], changed["timezone"], changed["most_failures"]) == ("0 7 * * *", None, 2)
    assert changed["next_at"] == "2026-11-02T10:00:00.000000Z"
    report = api(acme, "PATCH", path, json={"report": {"range": "last week"}}).json()
    assert (report["export"], report["report"]) == (None, {"range": "last week"})


def test_pause_and_resume(acme):
    made = created(acme)
    paused = api(acme, "POST", f"/{made['id']}/pause").json()
    assert (paused["state"], paused["next_at"], paused["next_slots"]) == ("paused", None, [])
    assert paused["pause_reason"].startswith("paused by key:")
    assert [each["id"] for each in api(acme, "GET", params={"state": "paused"}).json()["items"]] == [made["id"]]
    assert api(acme, "POST", f"/{made['id']}/resume").json()["state"] == "active"
    assert api(acme, "DELETE", f"/{made['id']}").status_code == 204
    assert api(acme, "GET", f"/{made['id']}/runs").status_code == 404


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"cron": "61 * * * *"}, "bad minute"),
        ({"timezone": "Mars/Olympus"}, "no time zone"),
        ({"export": None}, "one of them"),
        ({"report": {"range": "yesterday"}}, "one of them"),
        ({"export": {"rows": {"stream": "nothing"}}}, "nothing"),
        ({"deliver": {"endpoints": [1]}}, "no webhook endpoint 1"),
        ({"deliver": {"email": ["ana@example.com"]}}, "sends no e-mail"),
        ({"jitter_seconds": 100_000}, "jitter_seconds"),
        ({"catch_up": "some"}, "catch_up"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_what_cannot_be_is_said(acme, wrong, words):
    answer = api(acme, "POST", json=NEW | wrong)
    assert answer.status_code in {404, 422}, answer.text
    assert words in answer.json()["detail"]
    assert api(acme, "GET").json()["items"] == []


def test_another_account_finds_none_of_it(server, acme, opened):
    rival = opened(Native(server, "rival", scopes=("admin",)))
    made = created(acme)
    for method, path in (
        *(("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/pause"), ("POST", "/resume")),
        *(("POST", "/runs"), ("GET", "/runs"), ("GET", "/runs/1")),
    ):
        answer = api(rival, method, f"/{made['id']}{path}", json={} if method in {"PATCH", "POST"} else None)
        assert answer.status_code == 404, (method, path, answer.text)
    assert api(rival, "GET").json()["items"] == []
    assert api(acme, "GET", f"/{made['id']}").json() == made


def test_the_audit_trail_tells_who(acme):
    made = created(acme)
    for path in ("/pause", "/resume", "/runs"):
        assert api(acme, "POST", f"/{made['id']}{path}", json={}).status_code < 300
    api(acme, "DELETE", f"/{made['id']}")
    entries = acme.http.get("/api/v1/audit").json()["items"]
    actions = [each["action"] for each in entries if each["target"] == f"schedule {made['id']}"]
    assert actions == [f"schedule.{name}" for name in ("delete", "run", "resume", "pause", "create")]
