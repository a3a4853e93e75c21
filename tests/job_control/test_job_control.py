"""Jobs cancelled and begun anew over HTTP: what they are about follows, and at the end there is one file."""

from __future__ import annotations

import gzip
import time

import httpx
from sqlalchemy import select

from airtally.database.tables import audit
from airtally.exports.export import ExportState
from airtally.jobs.states import JobState
from airtally.statistics.asked import EventStatistics
from airtally.statistics.service import StatisticState

PLAY = b'{"player_id": 1, "media_id": %d, "played_at": "2026-10-01T08:00:00"}\n'
DAY = {"start_date": "2026-10-01", "end_date": "2026-10-01"}


def until(read, right):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = read()
        if right(found):
            return found
        time.sleep(0.02)
    raise AssertionError(found)


def job_of(admin, kind, state=None):
    """The newest job of a kind, once it is in a state."""

    def read():
        items = admin.http.get("/api/v1/jobs", params={"kind": kind, "limit": 1}).json()["items"]
        return items[0] if items else {}

    return until(read, lambda job: job and state in {None, job["state"]})


def call(admin, job, what):
    return admin.http.post(f"/api/v1/jobs/{job['id']}/{what}", json={})


def retried(admin, job):
    """Begun anew, as soon as its worker has let go."""
    answer = until(lambda: call(admin, job, "retry"), lambda answer: answer.status_code != 409)
    assert answer.status_code == 200, answer.text
    return answer.json()


def files_of(admin, kind):
    folder = admin.server.services.settings.home / "files" / kind / admin.account.slug
    return sorted(path.name for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []


def test_a_report_that_is_built(admin, gates):
    """Cancelled while a worker has it; begun anew it has the rows that came in between, in one file."""
    secret = admin.server.services.access.keys.create(admin.account, "fouryousee").credentials["secret_token"]
    admin.send("playlogs", PLAY % 1)
    gates.close("report.build")
    try:
        report = admin.http.post("/api/v1/reports", json=DAY).json()
        job = job_of(admin, "report", "running")
        cancelled = call(admin, job, "cancel")
        assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
        assert cancelled.json()["error"].startswith("Cancelled by key ")
        assert call(admin, job, "cancel").json() == cancelled.json()
        refused = call(admin, job, "retry")
        assert (refused.status_code, refused.headers["Retry-After"]) == (409, "5")
    finally:
        gates.open("report.build")
    shown = admin.http.get(f"/api/v1/reports/{report['id']}").json()
    assert (shown["state"], shown["error"]) == ("cancelled", cancelled.json()["error"])
    wire = httpx.get(f"{admin.server.url}/v1/reports/{report['id']}", headers={"Secret-Token": secret}).json()
    assert (wire["status"], wire["url"], wire["error"]["code"]) == ("failed", None, 422)
    admin.send("playlogs", PLAY % 2)
    assert retried(admin, job)["state"] in {"ready", "running", "done"}
    done = until(
        lambda: admin.http.get(f"/api/v1/reports/{report['id']}").json(), lambda each: each["state"] != "waiting"
    )
    assert (done["state"], done["rows"], done["error"]) == ("success", 2, None)
    assert gzip.decompress(httpx.get(done["url"]).content).count(b"\n") == 2
    assert len(files_of(admin, "reports")) == 1
    assert list((admin.server.services.settings.home / "staging").glob("report-*")) == []
    assert call(admin, job, "retry").status_code == call(admin, job, "cancel").status_code == 409
    query = select(audit.c.action, audit.c.actor_kind).where(audit.c.target == f"job {job['id']}").order_by(audit.c.id)
    with admin.server.services.store.read() as connection:
        assert [tuple(row) for row in connection.execute(query)] == [("job.cancel", "key"), ("job.retry", "key")]


def test_an_export_that_is_made(admin, gates):
    admin.send("playlogs", b"".join(PLAY % each for each in range(50)))
    gates.close("export.part")
    try:
        export = admin.http.post("/api/v1/exports", json={"rows": {"stream": "playlogs"}}).json()
        job = job_of(admin, "export", "running")
        until(lambda: files_of(admin, "exports"), lambda names: [each for each in names if not each.startswith("pin")])
        assert call(admin, job, "cancel").status_code == 200
        shown = admin.http.get(f"/api/v1/exports/{export['id']}").json()
        assert shown["state"] == "cancelled"
        assert shown["error"].startswith("Cancelled by key ")
        assert admin.http.get(f"/api/v1/exports/{export['id']}/parts").json()["items"] == []
    finally:
        gates.open("export.part")
    admin.send("playlogs", PLAY % 50)
    retried(admin, job)
    done = until(lambda: admin.http.get(f"/api/v1/exports/{export['id']}").json(), lambda each: each["state"] == "done")
    assert (done["rows"], done["parts"], done["error"]) == (51, 1, None)
    [part] = admin.http.get(f"/api/v1/exports/{export['id']}/parts").json()["items"]
    assert gzip.decompress(httpx.get(part["url"]).content).count(b"\n") == 52
    assert len(until(lambda: files_of(admin, "exports"), lambda names: len(names) < 2)) == 1, "a file of before is left"


def test_files_of_an_export_that_is_begun_anew_are_not_deleted(admin, gates):
    """The loop that deletes the files of cancelled exports has read which they are when this one is begun anew."""
    exports, expiry = admin.server.services.exports.exports, admin.server.services.exports.expiry
    gates.close("export.begin")
    try:
        export = admin.http.post("/api/v1/exports", json={"rows": {"stream": "playlogs"}}).json()
        job = job_of(admin, "export", "running")
        call(admin, job, "cancel")
        as_read = exports.get(admin.account, export["id"])
    finally:
        gates.open("export.begin")
    gates.close("export.publish")
    try:
        retried(admin, job)
        until(lambda: exports.get(admin.account, export["id"]).parts, lambda parts: parts == 1)
        expiry.due = lambda: [(admin.account, as_read)]
        expiry.step()
    finally:
        del expiry.due
        gates.open("export.publish")
    until(lambda: exports.get(admin.account, export["id"]).state, lambda state: state is ExportState.DONE)
    [part] = admin.http.get(f"/api/v1/exports/{export['id']}/parts").json()["items"]
    assert httpx.get(part["url"]).status_code == 200


def test_a_statistic(admin, gates):
    statistics = admin.server.services.statistics
    gates.close("statistics.run")
    try:
        asked = statistics.ask(admin.account, EventStatistics("A", "click", 0, 3_600_000_000))
        job = job_of(admin, "statistics", "running")
        assert call(admin, job, "cancel").status_code == 200
        assert statistics.find(admin.account, asked).status is StatisticState.FAILED
    finally:
        gates.open("statistics.run")
    retried(admin, job)
    until(lambda: statistics.find(admin.account, asked).status, lambda status: status is StatisticState.READY)


def test_a_run_of_a_schedule(admin, gates):
    """That is no failure of the schedule; begun anew, the run is made and ends."""
    made = admin.http.post(
        "/api/v1/schedules",
        json={"name": "S", "cron": "0 6 * * *", "export": {"rows": {"stream": "playlogs", "range": "yesterday"}}},
    ).json()
    path = f"/api/v1/schedules/{made['id']}"
    gates.close("schedule.wait")
    try:
        run = admin.http.post(f"{path}/runs", json={}).json()
        job = job_of(admin, "schedule", "running")
        assert call(admin, job, "cancel").status_code == 200
        shown = admin.http.get(f"{path}/runs/{run['id']}").json()
        assert shown["state"] == "cancelled"
        assert shown["reason"].startswith("Cancelled by key ")
    finally:
        gates.open("schedule.wait")
    retried(admin, job)
    done = until(lambda: admin.http.get(f"{path}/runs/{run['id']}").json(), lambda each: each["state"] != "making")
    assert (done["state"], done["reason"]) == ("done", None)
    assert admin.http.get(path).json()["failures"] == 0


def test_an_account_export(admin, gates):
    """Its streams' exports are cancelled with it; begun anew, every stream is exported anew."""
    admin.send("playlogs", PLAY % 1)
    gates.close("export.begin")
    path = "/api/v1/account-exports"
    try:
        made = admin.http.post(path, json={}).json()
        job = job_of(admin, "account_export")
        until(lambda: admin.http.get("/api/v1/exports").json()["items"], lambda items: len(items) >= 2)
        answer = call(admin, job, "cancel")
        assert answer.status_code == 200, answer.text
    finally:
        gates.open("export.begin")
    until(  # those that its worker was just creating end with it
        lambda: {each["state"] for each in admin.http.get("/api/v1/exports").json()["items"]},
        lambda states: states == {"cancelled"},
    )
    admin.send("playlogs", PLAY % 2)
    retried(admin, job)

    def looked_at():
        admin.server.services.clock.advance(1)
        return admin.http.get(f"{path}/{made['id']}").json()

    done = until(looked_at, lambda each: each["state"] != "waiting")
    assert done["state"] == "ready", done
    assert sum(each["rows"] for each in done["files"] if each["name"].startswith("playlogs/")) == 2


def test_what_is_not_cancelled(admin, other):
    services = admin.server.services
    with services.store.begin() as connection:
        erasure = services.jobs.add(connection, "erasure", f"of {admin.account.slug}", admin.account.id, 2**60)
        slot = services.jobs.add(connection, "publication", f"of {admin.account.slug}", admin.account.id, 2**60)
    for job_id, what in ((erasure, "cancel"), (erasure, "retry"), (slot, "cancel"), (slot, "retry"), (10**9, "cancel")):
        answer = call(admin, {"id": job_id}, what)
        assert answer.status_code == (404 if job_id == 10**9 else 409), answer.text
    assert call(other, {"id": erasure}, "cancel").status_code == 404
    assert services.jobs.get(erasure).state is JobState.READY
