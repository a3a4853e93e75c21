"""The operator's pages: the server, its accounts by their troubles, the lake and the doctor."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from airtally.accounts.permissions import UserRole
from airtally.settings import Settings
from fixtures.console import Browser, failure, note
from fixtures.native import Native
from fixtures.server import LiveServer

PASSWORD = "correct horse"
PLAY = b'{"player_id": 2, "media_id": 5, "played_at": "2026-10-01T08:00:00"}\n'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = LiveServer(Settings(home=tmp_path_factory.mktemp("status"), rate_limits=False)).start()
    access = server.services.access
    home = access.accounts.create("Operations", "ops")
    for role in (UserRole.OPERATOR, UserRole.ADMIN):
        access.users.create(home, username=role, name=role, email="a@example.org", password=PASSWORD, role=role)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def operator(server: LiveServer) -> Iterator[Browser]:
    with Browser(server, "operator") as browser:
        yield browser


def rows(page: str, caption: str) -> list[list[str]]:
    """The texts of the cells of a table."""
    [table] = re.findall(rf'<table[^>]*>\s*<caption class="unseen">{caption}.*?</table>', page, re.DOTALL)
    body = table.partition("<tbody>")[2]
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in re.findall(r"<tr>.*?</tr>", body, re.DOTALL)]
    return [[re.sub(r"<[^>]+>", "", each).strip() for each in row] for row in cells]


def test_the_start_leads_operators_to_the_status_of_several_accounts(server: LiveServer, operator: Browser) -> None:
    with Browser(server, "admin") as admin:
        assert admin.get("/").headers["location"] == "/accounts/ops/overview"
        assert admin.get("/status").status_code == 403
    if len(server.services.access.accounts.all()) == 1:
        assert operator.get("/").headers["location"] == "/accounts/ops/overview"
    server.services.access.accounts.create("Second", "second")
    assert operator.get("/").headers["location"] == "/status"


def test_accounts_in_trouble_come_first_with_their_figures(server: LiveServer, operator: Browser) -> None:
    quiet, loud = Native(server, "quiet"), Native(server, "loud")
    assert quiet.send("playlogs", PLAY * 1200).json()["accepted"] == 1200
    loud.send("playlogs", PLAY + b'{"player_id": "x"}\n' * 3)
    server.services.usage.metering.step()
    page = operator.get("/status").text
    assert "The server is ready" in page
    listed = {row[0]: row[1:] for row in rows(page, "Accounts")}
    assert next(iter(listed)) == "Account loud"
    assert (listed["Account loud"][0], listed["Account loud"][2]) == ("1", "3")
    assert (listed["Account quiet"][0], listed["Account quiet"][2]) == ("1,200", "0")
    assert 'href="/accounts/loud/overview"' in page
    part = operator.get("/status", headers={"HX-Request": "true"}).text
    assert ("<html" in part, rows(part, "Accounts") == rows(page, "Accounts")) == (False, True)
    assert {row[0]: row[2] for row in rows(page, "Checks")}["background"] == "none"
    for client in (quiet, loud):
        client.http.close()


def test_a_problem_of_the_server_is_said(server: LiveServer, operator: Browser) -> None:
    superseded = server.services.superseded
    superseded.reason = "The home is of a <newer> version"
    try:
        page = operator.get("/status").text
    finally:
        superseded.reason = None
    assert "<strong>home</strong>: The home is of a &lt;newer&gt; version" in page
    assert "The server is ready" not in page


def test_an_account_is_made_closed_and_opened_again(server: LiveServer, operator: Browser) -> None:
    made = operator.submit("/status/accounts", name="Tera <b>", slug="tera", timezone="Asia/Kathmandu", currency="NPR")
    assert (made.status_code, made.headers["location"]) == (303, "/accounts/tera/users")
    twice = operator.submit("/status/accounts", name="Again", slug="tera", timezone="UTC", currency="USD")
    assert (twice.status_code, "tera" in failure(twice), 'value="Again"' in twice.text) == (409, True, True)
    wrong = operator.submit("/status/accounts", name="X", slug="x1", timezone="Asia/Atlantis", currency="USD")
    assert wrong.status_code in {400, 422}
    listed = operator.get("/status/accounts").text
    assert "Tera &lt;b&gt;" in listed
    assert "/status/accounts/ops/close" not in listed
    assert operator.submit("/status/accounts/ops/close", days="30").status_code == 409
    closed = operator.submit("/status/accounts/tera/close", days="30")
    assert closed.status_code == 303, closed.text
    assert note(operator.get("/status/accounts")).startswith("The account Tera")
    assert operator.get("/accounts/tera/overview").status_code == 403
    assert operator.get("/status").status_code == 200
    assert operator.submit("/status/accounts/tera/reopen").status_code == 303
    assert operator.get("/accounts/tera/overview").status_code == 200


def test_work_on_the_lake_is_asked_for_and_shown(server: LiveServer, operator: Browser) -> None:
    client = Native(server, "lake")
    client.send("playlogs", PLAY)
    client.http.close()
    server.services.storage.event_store.flush()
    page = operator.get("/status/lake").text
    tables = {row[0]: row[1:] for row in rows(page, "Tables")}
    assert int(tables["playlogs"][0].replace(",", "")) >= 1
    asked = operator.submit("/status/lake", action="compact", stream="playlogs")
    assert asked.status_code == 303, asked.text
    deadline, state = time.monotonic() + 60, ""
    while state != "done" and time.monotonic() < deadline:
        task = rows(operator.get("/status/lake").text, "Work that was asked for")[0]
        state = task[3]
        time.sleep(0.05)
    assert task[1:4] == ["compact", "playlogs", "done"]
    assert operator.submit("/status/lake", action="burn", stream="").status_code in {400, 422}


def test_the_doctor_shows_its_findings_with_what_to_do(server: LiveServer, operator: Browser) -> None:
    found = rows(operator.get("/status/doctor").text, "Findings")
    assert {"home", "engine"} <= {row[0] for row in found}
    assert all(row[3] for row in found)
    order = [row[1] for row in found]
    assert order == sorted(order, key=["error", "warning", "ok"].index)
