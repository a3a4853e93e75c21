"""Reports through the pages' forms: asked for, on their way, fetched, cancelled, and their notices with what was answered."""

from __future__ import annotations

import gzip
import html
import re

import httpx

from fixtures.console import Browser, failure, note
from fixtures.delivery_pages import BuildsOfReports
from fixtures.native import Native
from fixtures.receiver import Receiver

HOME = "/accounts/acme"
HTMX = {"HX-Request": "true"}
DAY = {"start_date": "2026-10-01", "start_time": "00:00", "end_date": "2026-10-01", "end_time": "23:59:59"}


def asked(browser: Browser, **more: str | list[str]) -> str:
    """The page of the report that was asked for."""
    made = browser.submit(f"{HOME}/reports", **(DAY | more))
    assert made.status_code == 303, made.text
    return str(made.headers["location"])


def number(page: str) -> int:
    return int(page.rpartition("/")[2])


def test_a_report_is_asked_for_seen_under_way_and_fetched(native: Native, viewer: Browser) -> None:
    """The file behind the page's link is what the native API gives, of the ticked player alone."""
    page = asked(viewer, player_id=["7001"])
    shown = viewer.get(page)
    assert note(shown) == f"Report {number(page)} is under way."
    ended = native.ended_report(number(page))
    done = viewer.get(page).text
    [link] = re.findall(r'<a class="button" href="([^"]+)">Download</a>', done)
    fetched = httpx.get(html.unescape(link)).content
    assert fetched == native.http.get(f"/api/v1/reports/{number(page)}/file").content
    assert gzip.decompress(fetched).count(b'"playerId":7001,') == 3
    assert ended["sha256"] in done
    assert "<dd><code>7001</code></dd>" in done
    listed = viewer.get(f"{HOME}/reports").text.partition("Under way, or not generated")[0]
    assert link in listed
    own = viewer.get("/admin/reports_api.php")
    assert (own.status_code, link in own.text) == (200, True)


def test_what_is_under_way_asks_for_itself_until_it_has_ended(
    native: Native, admin: Browser, viewer: Browser, builds: BuildsOfReports
) -> None:
    """A fragment holds the part that changes alone, and no longer asks once nothing does."""
    builds.goes_on.clear()
    page = asked(viewer)
    for path in (page, f"{HOME}/reports"):
        waiting = viewer.get(path, headers=HTMX).text
        assert (f'hx-get="{path}" hx-trigger="every' in waiting, "<progress" in waiting) == (True, True)
    builds.goes_on.set()
    native.ended_report(number(page))
    for path, part in ((page, "state"), (f"{HOME}/reports", "listing")):
        fragment = admin.get(path, headers=HTMX).text
        assert (fragment.lstrip().startswith(f'<div id="{part}">'), "<html" in fragment) == (True, False)


def test_a_report_is_cancelled_and_one_that_failed_tried_again(
    native: Native, admin: Browser, viewer: Browser, builds: BuildsOfReports
) -> None:
    builds.goes_on.clear()
    page = asked(admin)
    assert (viewer.submit(f"{page}/cancel").status_code, "Cancel" in viewer.get(page).text) == (403, False)
    assert note(admin.get(admin.submit(f"{page}/cancel").headers["location"])).endswith("is cancelled.")
    assert "Cancelled by user acme-admin" in admin.get(page).text
    builds.fails = True
    builds.goes_on.set()
    failed = asked(admin)
    assert native.ended_report(number(failed))["state"] == "failed"
    for path in (failed, f"{HOME}/reports", "/admin/reports_api.php"):
        shown = viewer.get(path).text
        assert "A fault in the server (RuntimeError)" in shown
        assert "/retry" not in shown
    builds.fails = False
    assert admin.submit(f"{failed}/retry").headers["location"] == failed
    assert native.ended_report(number(failed))["state"] == "success"
    again = admin.submit(f"{failed}/retry")
    assert (again.status_code, bool(failure(again))) == (409, True)
    assert 'hx-get="' not in again.text.partition('id="state"')[2]
    assert admin.submit(f"{failed}/delete").status_code == 303
    assert admin.get(failed).status_code == 404


def test_a_notice_shows_request_and_answer_and_is_sent_again(
    admin: Browser, viewer: Browser, native: Native, receiver: Receiver
) -> None:
    receiver.answers[:] = [500, 200]
    receiver.more_headers = {"X-Why": "<b>full</b>"}
    page = asked(admin, webhook=receiver.url)
    native.ended_report(number(page))
    [body] = receiver.wait(1)
    native.ended_tries(number(page), 1)
    shown = admin.get(page).text
    assert html.escape(body.decode(), quote=False).replace('"', "&#34;")[:40] in shown
    assert ("HTTP 500" in shown, "x-why: &lt;b&gt;full&lt;/b&gt;" in shown) == (True, True)
    assert "Content-Type: application/json" in shown
    [path] = re.findall(r'action="([^"]+/redeliver)"', shown)
    assert viewer.submit(path).status_code == 403
    assert "redeliver" not in viewer.get(page).text
    assert admin.submit(path).headers["location"] == page
    assert receiver.wait(2)[1] == body
    native.ended_tries(number(page), 2)
    assert "Sent again" in admin.get(page).text


def test_players_are_found_by_name_and_the_ticked_ones_stay(viewer: Browser) -> None:
    found = viewer.get(
        f"{HOME}/reports", headers=HTMX, params={"stream": "players", "find-players": "LOBBY", "player_id": "5"}
    )
    boxes = re.findall(r'name="player_id" value="(\d+)"( checked)?> ([^<]*) <small>', found.text)
    assert boxes == [("5", " checked", "Hall 5"), ("7001", "", "Lobby &lt;i&gt;")]
    many = viewer.get(f"{HOME}/reports", headers=HTMX, params={"stream": "players", "find-players": "hall"}).text
    assert (many.count("<input"), "There are more" in many) == (12, True)
    unknown = viewer.get(f"{HOME}/reports", headers=HTMX, params={"stream": "medias", "find-medias": "4711"}).text
    assert re.findall(r'name="media_id" value="(\d+)"> not declared', unknown) == ["4711"]
    assert (
        "Nothing is found"
        in viewer.get(f"{HOME}/reports", headers=HTMX, params={"stream": "players", "find-players": "zzz"}).text
    )


def test_a_wrong_interval_is_said_beside_the_form(viewer: Browser) -> None:
    wrong = viewer.submit(f"{HOME}/reports", **(DAY | {"end_date": "2026-09-01", "player_id": ["7001"]}))
    assert wrong.status_code in {400, 422}
    assert failure(wrong)
    assert ('value="2026-09-01"' in wrong.text, 'value="7001" checked' in wrong.text) == (True, True)
    notice = viewer.submit(f"{HOME}/reports", **(DAY | {"webhook": "https://example.org/"}))
    assert (notice.status_code, "admin" in failure(notice)) == (403, True)


def test_another_accounts_report_is_not_there(native: Native, admin: Browser, stranger: Browser) -> None:
    page = asked(admin)
    native.ended_report(number(page))
    for path in (page, page.replace("/acme/", "/other/")):
        assert stranger.get(path).status_code == 404
        assert stranger.submit(f"{path}/delete").status_code == 404
    assert stranger.get("/accounts/other/reports").text.count("No report has been generated yet.") == 1
