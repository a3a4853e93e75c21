"""Quarantine, users, audit, settings and streams, through the pages' forms."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator

import pytest

from airtally.accounts.permissions import UserRole
from airtally.settings import Settings
from fixtures.console import Browser, failure, note
from fixtures.native import Native
from fixtures.server import LiveServer

PASSWORD = "correct horse"
HOME = "/accounts/acme"
GOOD = {"player_id": 2, "media_id": 5, "played_at": "2026-10-01T08:00:00"}
#: Wrong in different ways: a required column, a type, a zone's gap is none here, a number that is too large.
WRONG = (
    {"player_id": 2, "media_id": 5},
    {"player_id": "two", "media_id": 5, "played_at": "2026-10-01T08:00:01"},
    {"player_id": 2**80, "media_id": 5, "played_at": "2026-10-01T08:00:02", "ip": "</textarea><script>"},
)


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Native]:
    server = LiveServer(Settings(home=tmp_path_factory.mktemp("account"), rate_limits=False)).start()
    native = Native(server, "acme", scopes=("read", "write", "admin"))
    for role in UserRole:
        server.services.access.users.create(
            native.account, username=role, name=role, email="a@example.org", password=PASSWORD, role=role
        )
    with native.http:
        yield native
    server.stop()


@pytest.fixture(scope="module")
def admin(native: Native) -> Iterator[Browser]:
    with Browser(native.server, "admin") as browser:
        yield browser


@pytest.fixture(scope="module")
def viewer(native: Native) -> Iterator[Browser]:
    with Browser(native.server, "viewer") as browser:
        yield browser


def refused(native: Native, *rows: dict[str, object]) -> int:
    """Send rows, and give the number of the entry that keeps those that were refused."""
    native.send("playlogs", b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    entries: int = native.server.services.intake.quarantine.entries(native.account)[0].id
    return entries


def fields_of(page: str) -> dict[str, str]:
    """The fields of the form that corrects rows, as a browser would send them: line ends are CR LF."""
    texts = re.findall(r'<textarea id="([^"]+)"[^>]*>(.*?)</textarea>', page, re.DOTALL)
    hidden = re.findall(r'<input type="hidden" name="(was-\d+)" value="([^"]*)">', page)
    return {name: html.unescape(text).replace("\n", "\r\n") for name, text in [*texts, *hidden]}


def test_refused_rows_are_corrected_and_sent_again(native: Native, admin: Browser, viewer: Browser) -> None:
    """Each kind of refusal: what is corrected is counted once, what is not comes back as it was edited, with its reason."""
    entry = refused(native, *WRONG)
    before = native.count()
    listed = admin.get(f"{HOME}/quarantine", params={"stream": "playlogs"}).text
    assert f"{HOME}/quarantine/{entry}" in listed
    page = admin.get(f"{HOME}/quarantine/{entry}").text
    assert "<script>" not in page.partition("</head>")[2]
    fields = fields_of(page)
    fields["row-1"] = json.dumps(GOOD)
    fields["row-2"] = json.dumps(GOOD | {"player_id": "still wrong"})
    assert viewer.submit(f"{HOME}/quarantine/{entry}/resend", **fields).status_code == 403
    sent = admin.submit(f"{HOME}/quarantine/{entry}/resend", **fields)
    assert sent.status_code == 303, sent.text
    assert note(admin.get(sent.headers["location"])).startswith("1 of 3 rows were accepted.")
    assert native.count() == before + 1
    left = admin.get(f"{HOME}/quarantine/{refused(native)}")
    assert "still wrong" in left.text
    again = admin.submit(f"{HOME}/quarantine/{entry}/resend", **fields)
    assert (again.status_code, native.count()) == (409, before + 1)


def test_a_correction_that_is_no_json_is_shown_again(native: Native, admin: Browser) -> None:
    entry = refused(native, WRONG[0])
    fields = fields_of(admin.get(f"{HOME}/quarantine/{entry}").text) | {"row-1": "{not json"}
    answer = admin.submit(f"{HOME}/quarantine/{entry}/resend", **fields)
    assert (answer.status_code, failure(answer)[:40]) == (400, "The row of line 1 is not a JSON object: ")
    assert "{not json</textarea>" in answer.text
    unknown = admin.submit(f"{HOME}/quarantine/{entry}/resend", **{"row-77": "{}"})
    assert (unknown.status_code, failure(unknown)) == (422, "The entry has no row of line 77")


@pytest.mark.parametrize("levels", [500, 5000])
def test_a_refused_row_of_many_levels_is_shown_small(native: Native, admin: Browser, levels: int) -> None:
    """Indented, it would be many times its size; deeper still, it cannot be read as JSON at all."""
    nested = "[" * levels + "]" * levels
    native.send("playlogs", b'{"player_id": ' + nested.encode() + b"}\n")
    entry = refused(native)
    page = admin.get(f"{HOME}/quarantine/{entry}")
    assert (page.status_code, nested in page.text) == (200, True)
    assert len(page.content) < 50_000 + 4 * len(nested)
    deep = admin.submit(f"{HOME}/quarantine/{entry}/resend", **{"row-1": '{"player_id": ' + "[" * 100_000})
    assert (deep.status_code, failure(deep)[:40]) == (400, "The row of line 1 is not a JSON object: ")
    for name in ("row-\u00b2", "row-" + "9" * 5000):  # a digit of its kind, and more digits than Python reads
        assert admin.submit(f"{HOME}/quarantine/{entry}/resend", **{name: "{}"}).status_code in {303, 409}


def test_an_entry_is_dropped(native: Native, admin: Browser) -> None:
    entry = refused(native, WRONG[0])
    assert admin.submit(f"{HOME}/quarantine/{entry}/drop").status_code == 303
    assert admin.get(f"{HOME}/quarantine/{entry}").status_code == 404


def test_users_are_made_changed_and_deleted(native: Native, admin: Browser) -> None:
    person = {"username": "ana", "name": "Ana", "email": "ana@example.org", "password": PASSWORD, "role": "viewer"}
    assert admin.submit(f"{HOME}/users", **person).status_code == 303
    taken = admin.submit(f"{HOME}/users", **person)
    assert (taken.status_code, failure(taken)) == (409, "The user name &#39;ana&#39; is taken")
    assert PASSWORD not in taken.text
    assert admin.submit(f"{HOME}/users", **(person | {"username": "eve", "role": "operator"})).status_code == 403
    assert admin.submit(f"{HOME}/users/ana", name="Ana Souza", email="ana@example.org", role="admin").status_code == 303
    with Browser(native.server, "ana") as ana:
        assert ana.get(f"{HOME}/users").status_code == 200
        assert admin.submit(f"{HOME}/users/ana/delete").status_code == 303
        assert ana.get(f"{HOME}/users").headers["location"].startswith("/login")
    trail = admin.get(f"{HOME}/audit").text
    for action in ("user.create", "user.change", "user.delete"):
        assert action in trail
    assert "user admin" in trail


def test_settings_are_changed_by_admins(admin: Browser, viewer: Browser) -> None:
    assert viewer.submit(f"{HOME}/settings", timezone="Asia/Kathmandu").status_code == 403
    wrong = admin.submit(f"{HOME}/settings", timezone="Asia/Atlantis")
    assert wrong.status_code in {400, 422}
    assert 'value="Asia/Atlantis"' in wrong.text
    assert admin.submit(f"{HOME}/settings", timezone="Asia/Kathmandu", name="Acme Ltd").status_code == 303
    shown = admin.get(f"{HOME}/settings").text
    assert "Times are in Asia/Kathmandu." in shown
    assert "Acme Ltd" in shown


def test_streams_show_their_columns_and_records(native: Native, viewer: Browser) -> None:
    native.send("players", json.dumps({"player_id": 41, "name": "Lobby <b>"}).encode())
    shown = viewer.get(f"{HOME}/streams/players").text
    assert ("Lobby &lt;b&gt;" in shown, "<code>player_id</code>" in shown) == (True, True)
    assert "Records as they are now" in shown
    assert viewer.get(f"{HOME}/streams/nothing").status_code == 404


def test_usage_is_shown_by_day(native: Native, viewer: Browser) -> None:
    native.send("playlogs", GOOD)
    native.server.services.usage.metering.step()
    asked = native.http.get("/api/v1/usage").json()
    shown = viewer.get(f"{HOME}/usage").text
    assert asked["total"]["rows_accepted"] > 0
    assert f"<dd>{asked['total']['rows_accepted']:,}</dd>" in shown
    assert "Rows in, by day" in shown


def test_a_person_is_counted_first_and_erased_then(native: Native, admin: Browser, viewer: Browser) -> None:
    event = {"application": "AAAAA-BBBBB", "hwid": "eve", "name": "open", "time": "2026-10-01T08:00:00Z"}
    native.send("app_events", event)
    assert viewer.submit(f"{HOME}/erasures", hwid="eve").status_code == 403
    counted = admin.submit(f"{HOME}/erasures", hwid="eve")
    assert (counted.status_code, "Erase all of it" in counted.text) == (200, True)
    assert native.http.get("/api/v1/erasures").json()["items"] == []
    assert admin.submit(f"{HOME}/erasures").status_code in {400, 422}
    erased = admin.submit(f"{HOME}/erasures", hwid="eve", sure="yes")
    assert erased.status_code == 303
    page = admin.get(erased.headers["location"])
    assert note(page) == "The erasure is under way."
    assert erased.headers["location"] in admin.get(f"{HOME}/erasures").text


def test_a_job_is_cancelled_and_begun_anew(native: Native, admin: Browser, viewer: Browser) -> None:
    services = native.server.services
    held = native.http.post("/api/v1/reports", json={"start_date": "2026-10-01", "end_date": "2026-10-01"})
    assert held.status_code in {200, 201, 202}, held.text
    native.ended_report(held.json()["id"])
    job = services.jobs.latest(native.account.id, kind="report")[0]
    assert f"Job {job.id}" not in viewer.get(f"{HOME}/jobs").text
    refused = admin.submit(f"{HOME}/jobs/{job.id}/retry")
    assert (refused.status_code, failure(refused) != "") == (409, True)
    assert viewer.submit(f"{HOME}/jobs/{job.id}/cancel").status_code == 403
    assert f'<td data-value="{job.id}">' in viewer.get(f"{HOME}/jobs?state=done").text
    assert f'<td data-value="{job.id}">' not in viewer.get(f"{HOME}/jobs?state=failed").text
