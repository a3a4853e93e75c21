"""Exports of callers' statements: in parts, through deaths, and in words where they fail."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pyarrow as pa
import pytest

from airtally.engine.confined.runner import ConfinedRunner
from airtally.exports.spec import ExportFormat, ExportSpec
from airtally.exports.work import LargeExportWorker
from airtally.kit.errors import Unprocessable
from airtally.kit.faults import Faults
from airtally.sql.dsl.refusal import StatementRefused
from fixtures.exports import ExportHome
from fixtures.killed import Killed

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

Home = Callable[..., ExportHome]
PAIRS = "SELECT a.media_id AS a, b.media_id AS b, a.ip AS ip FROM playlogs a, playlogs b ORDER BY a, b"
SCHEMA = pa.schema([("a", pa.int64()), ("b", pa.int64()), ("ip", pa.string())])
#: Its condition names every table: one of a single table may leave no rows before any are joined.
ENDLESS = (
    "SELECT count(*) AS n FROM playlogs a, playlogs b, playlogs c, playlogs d, playlogs e "
    "WHERE sqrt(a.media_id + b.media_id + c.media_id + d.media_id + e.media_id) < 0"
)


@pytest.fixture(scope="module")
def runner() -> Iterator[ConfinedRunner]:
    made = ConfinedRunner()
    yield made
    made.close()


@pytest.fixture
def statement_home(export_home: Home, runner: ConfinedRunner) -> Home:
    return partial(export_home, runner=runner)


class _KilledAtThird(Faults):
    """A run that ends after its third turn, with parts noted."""

    left = 3

    def reach(self, point: str) -> None:
        self.left -= point == "export.part"
        if self.left == 0:
            raise Killed


def plays(count: int) -> list[dict[str, Any]]:
    at = datetime(2026, 10, 1, 12, tzinfo=UTC)
    return [
        {
            "player_id": 1,
            "played_at": at,
            "id": f"p{n}",
            "media_id": n,
            "type": "I",
            "ip": 'ü,"x"\n',
            "duration_seconds": 1.5,
        }
        for n in range(count)
    ]


def pairs(count: int) -> list[dict[str, Any]]:
    return [{"a": a, "b": b, "ip": 'ü,"x"\n'} for a in range(count) for b in range(count)]


@pytest.mark.parametrize("form", list(ExportFormat))
def test_an_answer_of_any_size_comes_in_parts_and_in_order(statement_home: Home, form: ExportFormat) -> None:
    home = statement_home()
    home.send("playlogs", plays(60))
    home.flush()
    home.send("playlogs", plays(160))
    export = home.made(ExportSpec(sql=PAIRS, format=form, part_rows=10_000))
    tables = home.tables(export, SCHEMA)
    assert [each.num_rows for each in tables] == [10_000, 10_000, 5_600]
    assert pa.concat_tables(tables).to_pylist() == pairs(160)
    assert export.data_through is not None


@pytest.mark.parametrize("form", list(ExportFormat))
def test_an_answer_without_rows_is_one_part_with_its_columns(statement_home: Home, form: ExportFormat) -> None:
    home = statement_home()
    export = home.made(ExportSpec(sql=PAIRS, format=form))
    assert [each.num_rows for each in home.tables(export, SCHEMA)] == [0]


def test_the_present_is_the_moment_of_the_request(statement_home: Home) -> None:
    home = statement_home()
    asked_us = home.clock.now_us()
    export = home.create(ExportSpec(sql="SELECT epoch_us(now()) AS at", format=ExportFormat.NDJSON))
    home.clock.advance(3600)
    assert home.worker(LargeExportWorker).step() == 0.0
    assert home.rows(export, pa.schema([("at", pa.int64())])) == [{"at": asked_us}]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (ExportSpec(sql="SELECT read_text('/etc/passwd')"), "The function `read_text` cannot be used"),
        (ExportSpec(sql="SELECT 1 AS a", query={"stream": "playlogs"}), "one of them"),
        (ExportSpec(), "one of them"),
    ],
)
def test_what_cannot_be_exported_is_refused_at_once(statement_home: Home, spec: ExportSpec, words: str) -> None:
    with pytest.raises((StatementRefused, Unprocessable), match=words):
        statement_home().create(spec)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT nosuch FROM playlogs", "There is no column `nosuch` (line 1, column 8)"),
        ("SELECT media_id AS a, id::INT AS b FROM playlogs", "A value cannot be converted"),
        ("SELECT 1 AS a, 2 AS a", "Two columns of the answer are called 'a'"),
        ("SELECT media_id AS a, DATE '200000-01-01' AS b FROM playlogs", "a value that ndjson cannot hold"),
    ],
)
def test_what_fails_on_its_way_says_so_in_words(statement_home: Home, sql: str, words: str) -> None:
    home = statement_home()
    home.send("playlogs", plays(3))
    export = home.now(home.made(ExportSpec(sql=sql, format=ExportFormat.NDJSON)))
    assert (export.state, words in (export.error or "")) == ("failed", True), export.error
    assert "Error" not in (export.error or "")
    assert home.exports.parts(export) == []


def test_a_death_begins_it_anew_and_doubles_no_row(statement_home: Home) -> None:
    home = statement_home(faults=_KilledAtThird(), turn_seconds=0.0)
    home.send("playlogs", plays(150))
    export = home.create(ExportSpec(sql=PAIRS, part_rows=5_000))
    with pytest.raises(Killed):
        home.worker(LargeExportWorker).step()
    assert home.now(export).state == "running"
    home.clock.advance(3600)
    later = home.again()
    assert later.worker(LargeExportWorker).step() == 0.0
    assert later.rows(export, SCHEMA) == pairs(150)


def test_a_statement_whose_export_is_cancelled_ends(statement_home: Home) -> None:
    """Though it gives nothing for hours; and its process with it."""
    home = statement_home()
    home.send("playlogs", plays(400))
    export = home.create(ExportSpec(sql=ENDLESS))
    worker = threading.Thread(target=home.worker(LargeExportWorker).step)
    worker.start()
    while home.now(export).started_at is None:
        time.sleep(0.05)
    home.exports.cancel(home.account, export.id)
    worker.join(30)
    assert not worker.is_alive()
    assert home.now(export).state == "cancelled"
