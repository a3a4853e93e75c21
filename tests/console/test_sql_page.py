"""The page SQL: answers, errors with their place, links and files."""

from __future__ import annotations

import contextlib
import html
import io
import json
import re
import time
from collections.abc import Iterator

import httpx
import pyarrow.parquet as pq
import pytest

from airtally.accounts.permissions import UserRole
from airtally.console.sql_examples import EXAMPLES
from airtally.console.sql_page import LINKED_CHARACTERS, SHOWN_ROWS
from airtally.query.sql_tables import SQL_TABLES
from airtally.settings import Settings
from fixtures.console import Browser
from fixtures.native import Native
from fixtures.server import LiveServer

PATH = "/accounts/acme/sql"
PLAYS = [
    {
        "player_id": n % 5,
        "media_id": n % 3,
        "type": "<i>" if n == 0 else "AB",
        "played_at": f"2026-10-01T00:{n % 60:02}:00",
    }
    for n in range(400)
]
#: Has 160,000 rows, which is more than an answer may have.
TOO_LARGE = "SELECT a.player_id FROM playlogs a, playlogs b"


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Native]:
    server = LiveServer(Settings(home=tmp_path_factory.mktemp("sql-page"), rate_limits=False)).start()
    native = Native(server, "acme")
    server.services.access.users.create(
        native.account, username="acme", name="a", email="a@example.org", password="correct horse", role=UserRole.VIEWER
    )
    other = Native(server, "himal")
    with contextlib.closing(other.http), contextlib.closing(native.http):
        native.send("playlogs", b"".join(json.dumps(row | {"type": "AB"}).encode() + b"\n" for row in PLAYS))
        other.send("playlogs", json.dumps(PLAYS[1] | {"player_id": 987654}).encode())
        native.send("players", [{"player_id": 1, "name": "<script>alert(1)</script>"}])
        yield native
    server.stop()


@pytest.fixture(scope="module")
def viewer(native: Native) -> Iterator[Browser]:
    with Browser(native.server, "acme") as browser:
        yield browser


def cells(page: httpx.Response) -> list[list[str]]:
    body = page.text.partition("<tbody>")[2].partition("</tbody>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
    return [[html.unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)] for row in rows]


def test_a_statement_runs_by_its_link(viewer: Browser) -> None:
    statement = "SELECT player_id, count(*) AS plays\nFROM playlogs\nGROUP BY 1\nORDER BY 1"
    sent = viewer.submit(PATH, sql=statement.replace("\n", "\r\n"))
    assert sent.status_code == 303
    page = viewer.get(sent.headers["location"])
    right = [[str(player), str(sum(row["player_id"] == player for row in PLAYS))] for player in range(5)]
    assert cells(page) == right
    assert "5 rows in" in page.text
    assert f">{statement}</textarea>" in page.text


def test_another_account_is_never_seen(viewer: Browser) -> None:
    page = viewer.get(PATH, params={"sql": "SELECT DISTINCT player_id FROM playlogs ORDER BY 1"})
    assert [row[0] for row in cells(page)] == ["0", "1", "2", "3", "4"]
    assert viewer.get("/accounts/himal/sql", params={"sql": "SELECT 1"}).status_code == 404


def test_values_are_text_and_never_markup(viewer: Browser) -> None:
    page = viewer.get(PATH, params={"sql": "SELECT name, NULL AS nothing, [1, 2] AS list FROM players"})
    assert cells(page) == [["<script>alert(1)</script>", "", "[1,2]"]]
    assert "<script>alert" not in page.text


@pytest.mark.parametrize(
    ("statement", "word"),
    [
        ("SELECT player_id\nFROM playlogs\nWHERE plaed_at > now()", "plaed_at"),
        ("SELECT </textarea><script>", "><script>"),
        (f"SELECT player_id, {'1, ' * 200} plyer_id FROM playlogs", "plyer_id"),
    ],
    ids=["a column", "markup", "far to the right"],
)
def test_an_error_shows_its_place(viewer: Browser, statement: str, word: str) -> None:
    """The line with a caret below the word that is wrong, at the line and column of the message."""
    page = viewer.get(PATH, params={"sql": statement})
    assert page.status_code == 422
    [shown] = re.findall(r'<pre class="place"[^>]*>(.*?)</pre>', page.text, re.DOTALL)
    line, caret = html.unescape(shown).split("\n")
    [(number, column)] = re.findall(r"\(line (\d+), column (\d+)\)", page.text)
    assert statement.split("\n")[int(number) - 1][int(column) - 1 :].startswith(word)
    assert (line[len(caret) - 1 :].startswith(word), line.startswith(f"{number} | ")) == (True, True)
    assert "<script>" not in page.text.partition("</head>")[2]


@pytest.mark.parametrize("statement", ["\0", "SELECT '\ud7ff", "(" * 500, "SELECT 1; SELECT 2", "x" * 100_001])
def test_whatever_is_sent_is_no_error_of_the_server(viewer: Browser, statement: str) -> None:
    answer = viewer.submit(PATH, sql=statement)
    if answer.status_code == 303:
        answer = viewer.get(answer.headers["location"])
    assert 400 <= answer.status_code < 500, answer.text[-800:]
    assert 400 <= viewer.submit(PATH, sql=statement, download="csv").status_code < 500


def test_a_long_statement_is_sent_and_has_no_link(viewer: Browser) -> None:
    statement = f"SELECT count(*) AS plays FROM playlogs -- {'x' * LINKED_CHARACTERS}"
    page = viewer.submit(PATH, sql=statement)
    assert (page.status_code, cells(page)) == (200, [["400"]])
    assert "too long for a link" in page.text


def test_only_so_many_rows_are_shown_and_files_have_all(native: Native, viewer: Browser) -> None:
    statement = (
        "SELECT a.player_id, b.media_id FROM playlogs a, playlogs b WHERE b.media_id = 0 AND a.media_id = 1 LIMIT 1200"
    )
    page = viewer.get(PATH, params={"sql": statement})
    assert len(cells(page)) == SHOWN_ROWS
    assert f"The first {SHOWN_ROWS:,} are shown" in page.text
    text = viewer.submit(PATH, sql=statement, download="csv")
    assert text.text.count("\n") == 1201
    assert text.headers["content-disposition"] == 'attachment; filename="statement.csv"'
    parquet = viewer.get(PATH, params={"sql": statement, "download": "parquet"})
    assert pq.read_table(io.BytesIO(parquet.content)).num_rows == 1200


def test_an_answer_that_is_too_large_becomes_an_export(native: Native, viewer: Browser) -> None:
    page = viewer.get(PATH, params={"sql": TOO_LARGE})
    [number] = set(re.findall(r'href="/accounts/acme/exports/(\d+)"', page.text))
    deadline = time.monotonic() + 60
    while (export := native.http.get(f"/api/v1/exports/{number}").json())["state"] not in {"done", "failed"}:
        assert time.monotonic() < deadline, export
        time.sleep(0.05)
    assert (export["state"], export["rows"]) == ("done", len(PLAYS) ** 2)
    file = viewer.submit(PATH, sql=TOO_LARGE, download="csv")
    assert (file.status_code, file.headers["location"][:22]) == (303, "/accounts/acme/exports")


@pytest.mark.parametrize(("label", "statement"), EXAMPLES)
def test_each_example_runs(viewer: Browser, label: str, statement: str) -> None:
    assert html.escape(label) in viewer.get(PATH).text
    answer = viewer.get(PATH, params={"sql": statement})
    assert answer.status_code == 200, answer.text[-800:]


def test_the_list_has_each_table_with_its_columns(viewer: Browser) -> None:
    page = viewer.get(PATH).text
    found = {}
    for name, columns in re.findall(r"<summary[^>]*><code>(\w+)</code></summary>\s*<ul>(.*?)</ul>", page, re.DOTALL):
        found[name] = tuple(re.findall(r"<code data-inserts>(\w+)</code>", columns))
    assert found == {name: table.columns for name, table in SQL_TABLES.items()}
