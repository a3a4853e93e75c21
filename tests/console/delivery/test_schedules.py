"""Schedules through the pages' forms: their slots before they are saved, their runs, paused, changed and deleted."""

from __future__ import annotations

import re
import time

from fixtures.console import Browser, failure, note
from fixtures.delivery_pages import BuildsOfReports
from fixtures.native import Native

HOME = "/accounts/acme"
HTMX = {"HX-Request": "true"}
NEW = {"name": "Plays <i>", "cron": "0 6 * * MON-FRI", "product": "export", "stream": "playlogs", "range": "2026-10"}


def made(browser: Browser, **fields: str) -> str:
    answer = browser.submit(f"{HOME}/schedules", **(NEW | {"format": "csv", "compression": "none"} | fields))
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def ended_run(native: Native, page: str) -> dict[str, object]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        runs = native.http.get(f"/api/v1{page.removeprefix(HOME)}/runs").json()["items"]
        if runs and runs[0]["ended_at"]:
            return dict(runs[0])
        time.sleep(0.05)
    raise AssertionError("the run did not end")


def test_slots_are_shown_before_anything_is_saved(native: Native, admin: Browser) -> None:
    """On the account's clocks, or on those of another zone; what is no expression is said in words."""
    asked = {"cron": "30 6 * * *", "timezone": ""}
    shown = admin.get(f"{HOME}/schedules", headers=HTMX, params=asked).text
    slots = re.findall(r'datetime="([^"]+)">\w{3} \d{4}-\d\d-\d\d (\d\d:\d\d)<', shown)
    assert ("In America/Sao_Paulo" in shown, [clock for _, clock in slots]) == (True, 5 * ["06:30"])
    known = native.http.get("/api/v1/schedule-slots", params={"cron": "30 6 * * *"}).json()["slots"]
    assert [slot for slot, _ in slots] == known
    other = admin.get(f"{HOME}/schedules", headers=HTMX, params=asked | {"timezone": "Asia/Kathmandu"}).text
    assert re.findall(r" (\d\d:\d\d)<", other) == 5 * ["06:30"]
    for wrong in ({"cron": "61 * * * *"}, {"cron": "", "timezone": ""}, asked | {"timezone": "Nowhere/<i>"}):
        answer = admin.get(f"{HOME}/schedules", headers=HTMX, params=wrong)
        assert (answer.status_code, "cannot be used" in answer.text, "<i>" in answer.text) == (200, True, False)


def test_a_schedule_is_made_run_paused_changed_and_deleted(native: Native, admin: Browser) -> None:
    page = made(admin)
    shown = admin.get(page).text
    assert ("Plays &lt;i&gt;" in shown, "rows of playlogs, 2026-10, as csv" in shown) == (True, True)
    assert admin.submit(f"{page}/runs").status_code == 303
    run = ended_run(native, page)
    assert run["state"] == "done", run
    ran = admin.get(page).text
    assert f'href="{HOME}/exports/{run["export_id"]}"' in ran
    assert note(admin.get(admin.submit(f"{page}/pause").headers["location"])).startswith("The schedule is paused")
    assert "paused by user:acme-admin" in admin.get(page).text
    assert admin.submit(f"{page}/resume").status_code == 303
    changed = admin.submit(page, name="Others", cron="0 7 * * *", timezone="")
    assert changed.status_code == 303, changed.text
    stored = native.http.get(f"/api/v1{page.removeprefix(HOME)}").json()
    assert (stored["name"], stored["cron"], stored["state"]) == ("Others", "0 7 * * *", "active")
    assert (stored["timezone"], stored["export"]["rows"]["range"]) == ("America/Sao_Paulo", "2026-10")
    assert admin.submit(f"{page}/delete").headers["location"] == f"{HOME}/schedules"
    assert admin.get(page).status_code == 404


def test_a_run_that_failed_says_why_and_is_run_again(native: Native, admin: Browser, builds: BuildsOfReports) -> None:
    page = made(admin, product="report", range="yesterday")
    assert "a report of the plays of yesterday" in admin.get(page).text
    builds.fails = True
    admin.submit(f"{page}/runs")
    run = ended_run(native, page)
    shown = admin.get(page).text
    assert (run["state"], "A fault in the server (RuntimeError)" in shown) == ("failed", True)
    assert f'href="{HOME}/reports/{run["report_id"]}"' in shown
    builds.fails = False
    [as_of] = re.findall(r'name="as_of" value="([^"]+)"', shown)
    admin.submit(f"{page}/runs", as_of=as_of)
    again = ended_run(native, page)
    assert (again["id"] != run["id"], again["state"], again["as_of"]) == (True, "done", run["as_of"])


def test_errors_are_beside_the_form_and_a_viewer_changes_nothing(admin: Browser, viewer: Browser) -> None:
    wrong = admin.submit(f"{HOME}/schedules", **(NEW | {"cron": "never", "format": "csv"}))
    assert (wrong.status_code, "cannot be used" in failure(wrong)) == (422, True)
    assert ('value="never"' in wrong.text, 'value="Plays &lt;i&gt;"' in wrong.text) == (True, True)
    page = made(admin)
    assert viewer.submit(f"{HOME}/schedules", **NEW, format="csv").status_code == 403
    for path in ("pause", "resume", "runs", "delete"):
        assert viewer.submit(f"{page}/{path}").status_code == 403
    assert "Run now" not in viewer.get(page).text


def test_another_accounts_schedule_is_not_there(admin: Browser, stranger: Browser) -> None:
    page = made(admin)
    for path in (page, page.replace("/acme/", "/other/")):
        assert (stranger.get(path).status_code, stranger.submit(f"{path}/pause").status_code) == (404, 404)
    assert "Make the first schedule below." in stranger.get("/accounts/other/schedules").text
