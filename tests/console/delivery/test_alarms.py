"""Alarms through the pages' forms: of each kind made, changed and deleted."""

from __future__ import annotations

from typing import Any

from fixtures.console import Browser, failure
from fixtures.native import Native

HOME = "/accounts/acme"


def made(browser: Browser, **fields: str) -> str:
    answer = browser.submit(f"{HOME}/alarms", **({"name": "Night", "minutes": "60"} | fields))
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def stored(native: Native, page: str) -> Any:
    return native.http.get(f"/api/v1{page.removeprefix(HOME)}").json()


def test_an_alarm_of_each_kind_is_made_and_said_in_words(native: Native, admin: Browser) -> None:
    for fields, condition, words in (
        (
            {"kind": "silent_stream", "stream": "playlogs"},
            {"kind": "silent_stream", "stream": "playlogs", "after_seconds": 3600},
            "no row of playlogs for 60 minutes",
        ),
        (
            {"kind": "late", "of": "schedule", "minutes": "5"},
            {"kind": "late", "after_seconds": 300, "of": "schedule", "id": None},
            "a schedule is not done 5 minutes after it was due",
        ),
        (
            {"kind": "quarantine", "rows": "1000", "stream": ""},
            {"kind": "quarantine", "rows": 1000, "within_seconds": 3600, "stream": None},
            "1,000 rows refused within 60 minutes",
        ),
    ):
        page = made(admin, **fields)
        assert stored(native, page)["condition"] == condition
        assert (words in admin.get(page).text, words in admin.get(f"{HOME}/alarms").text) == (True, True)
        assert admin.get(f"{HOME}/alarms", params={"kind": fields["kind"]}).status_code == 200


def test_an_alarm_is_changed_and_deleted(native: Native, admin: Browser, viewer: Browser) -> None:
    page = made(admin, kind="silent_stream", stream="playlogs")
    fields = {"name": "Day", "kind": "silent_stream", "stream": "playlogs", "minutes": "10"}
    assert viewer.submit(page, **fields).status_code == 403
    assert viewer.submit(f"{HOME}/alarms", **fields).status_code == 403
    assert admin.submit(page, **fields, addresses="a@example.org, b@example.org", users="on").status_code == 303
    after = stored(native, page)
    assert (after["name"], after["condition"]["after_seconds"]) == ("Day", 600)
    assert after["recipients"] == {"endpoints": None, "addresses": ["a@example.org", "b@example.org"], "users": True}
    wrong = admin.submit(page, **(fields | {"minutes": "1.5"}))
    assert (wrong.status_code, failure(wrong)) == (400, "The field minutes is a whole number, not &#39;1.5&#39;")
    assert 'value="1.5"' in wrong.text
    assert admin.submit(page, **(fields | {"minutes": "1"})).status_code == 400
    assert admin.submit(f"{page}/delete").headers["location"] == f"{HOME}/alarms"
    assert admin.get(page).status_code == 404


def test_another_accounts_alarm_is_not_there(admin: Browser, stranger: Browser) -> None:
    page = made(admin, kind="silent_stream", stream="playlogs")
    for path in (page, page.replace("/acme/", "/other/")):
        assert (stranger.get(path).status_code, stranger.submit(f"{path}/delete").status_code) == (404, 404)
    assert "Nothing is watched yet." in stranger.get("/accounts/other/alarms").text
