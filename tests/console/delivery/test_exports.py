"""Exports through the pages' forms: of rows, of Explore's question and of SQL; their parts, and their end."""

from __future__ import annotations

import html
import re
import time

import httpx

from fixtures.console import Browser, failure, note
from fixtures.native import Native

HOME = "/accounts/acme"
QUESTION = '{"stream": "playlogs", "metrics": ["count"], "dimensions": ["player_id"]}'


def made(browser: Browser, **fields: str) -> str:
    """The page of the export."""
    answer = browser.submit(f"{HOME}/exports", **({"format": "csv", "compression": "none"} | fields))
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def ended(native: Native, page: str) -> dict[str, object]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        export: dict[str, object] = native.http.get(f"/api/v1{page.removeprefix(HOME)}").json()
        if export["state"] not in {"queued", "running"}:
            return export
        time.sleep(0.05)
    raise AssertionError("the export did not end")


def parts(page: str) -> list[bytes]:
    """The files that the page links to."""
    links = re.findall(r'<a href="([^"]+/downloads/exports/[^"]+)">', page)
    return [httpx.get(html.unescape(link)).content for link in links]


def test_rows_are_exported_and_fetched(native: Native, viewer: Browser) -> None:
    page = made(viewer, make="rows", stream="playlogs", columns="player_id, media_id", filter='{"player_id": 7001}')
    export = ended(native, page)
    shown = viewer.get(page).text
    assert parts(shown) == [b"player_id,media_id\n" + 3 * b"7001,8001\n"]
    native_parts = native.http.get(f"/api/v1{page.removeprefix(HOME)}/parts").json()["items"]
    assert native_parts[0]["sha256"] in shown
    assert (export["state"], "&#34;7001&#34;" in shown or "7001" in shown) == ("done", True)
    fragment = viewer.get(page, headers={"HX-Request": "true"}).text
    assert fragment.lstrip().startswith('<div id="state">')
    assert f'href="{page}"' in viewer.get(f"{HOME}/exports").text
    deleted = viewer.submit(f"{page}/delete")
    assert note(viewer.get(deleted.headers["location"])).endswith("its files are deleted.")
    assert parts(viewer.get(page).text) == []


def test_explores_question_and_a_statement_are_filled_in_and_exported(native: Native, viewer: Browser) -> None:
    for field, make, asked in (
        ("query", "question", QUESTION),
        ("sql", "sql", "SELECT player_id, count(*) AS count FROM playlogs GROUP BY player_id"),
    ):
        form = viewer.get(f"{HOME}/exports", params={field: asked}).text
        assert html.escape(asked).replace("&quot;", "&#34;") in form
        assert f'name="make" value="{make}"' in form
        page = made(viewer, make=make, **{field: asked})
        assert ended(native, page)["state"] == "done"
        [file] = parts(viewer.get(page).text)
        assert sorted(file.split()[1:]) == [b"7001,3", b"7002,3"]


def test_what_cannot_be_exported_is_said_beside_the_form(viewer: Browser) -> None:
    for wrong, status, words in (
        ({"make": "question", "query": "{<i>"}, 400, "cannot be read as a JSON object"),
        ({"make": "rows", "stream": "nothing"}, 404, "There is no stream"),
        ({"make": "rows", "stream": "playlogs", "range": "<i>"}, 422, "expected a range"),
        ({"make": "sql", "sql": "DROP TABLE playlogs"}, 422, ""),
    ):
        answer = viewer.submit(f"{HOME}/exports", format="csv", **wrong)
        assert (answer.status_code, words in failure(answer)) == (status, True), answer.text
        assert "<i>" not in answer.text
        assert html.escape(next(reversed(wrong.values()))) in answer.text


def test_another_accounts_export_is_not_there(native: Native, viewer: Browser, stranger: Browser) -> None:
    page = made(viewer, make="rows", stream="playlogs")
    ended(native, page)
    for path in (page, page.replace("/acme/", "/other/")):
        assert (stranger.get(path).status_code, stranger.submit(f"{path}/delete").status_code) == (404, 404)
    assert "No export was made yet." in stranger.get("/accounts/other/exports").text
