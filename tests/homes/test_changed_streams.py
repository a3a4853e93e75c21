"""A home of an earlier release, opened by programs whose streams are declared otherwise.

Rows lie in compacted and uncompacted files, in the buffer of a killed process and in the quarantine; each reads a
column that was added later as its default, and a renamed one under its new name.
"""

from __future__ import annotations

import json
from contextlib import ExitStack

import pytest

from airtally.background import maintenance_of, rebuilder_of
from airtally.engine.child_process import InProcess
from airtally.ingest.service import Batch
from airtally.kit.errors import NewerHome
from airtally.kit.time import DAY_US
from airtally.query.question import Dimension, Function, Metric, Question
from airtally.runtime import open_services
from airtally.services import Engines
from airtally.sql.filters import Equals
from airtally.storage.lake.compaction import EAGER
from airtally.storage.lake.schema import SchemaHistory
from airtally.streams import PLAYLOGS, STREAMS
from airtally.streams.declaration import Column, Type
from airtally.streams.evolution import Removed, Renamed
from fixtures.declared import with_column
from fixtures.homes import KILLED_US, RELEASES, unpacked

TEXT = Column("campaign", Type.TEXT, "A column of a later release.")
WHOLE = Column("screens", Type.INT64, "Another, with a default.", default=1)
ADDED = [
    TEXT,
    WHOLE,
    Column("quality", Type.DOUBLE, "A number."),
    Column("paid", Type.DECIMAL, "Money."),
    Column("sent_at", Type.TIME, "A time."),
    Column("shown_at", Type.LOCAL_TIME, "A local time."),
    Column("label", Type.TEXT, "A text with a default.", default="it's new"),
    Column("extra", Type.JSON, "An object.", json=dict[str, int], json_says="an object of numbers"),
]
ALL = 102  # what the release counted of acme's playlogs


class Home:
    """The services of a process on a kept home, without background work."""

    def __init__(self, kept, closing):
        self.kept, self._closing = kept, closing
        self.open()

    def open(self):
        self.services = open_services(self.kept.settings, clock=self.kept.clock())
        self._closing.callback(self.services.close)
        self.services.engines.heavy.close()
        self.services.engines = Engines(self.services.engines.engine, InProcess())
        self.acme = self.services.access.accounts.by_slug("acme")

    @property
    def table(self):
        return self.services.storage.lake.table(PLAYLOGS)

    def send(self, **row):
        play = {"player_id": 1, "media_id": 8, "played_at": "2026-10-02T10:05:00"} | row
        batch = Batch(PLAYLOGS, self.acme, json.dumps(play).encode(), "application/json")
        answer = json.loads(self.services.intake.batches.accept(batch))
        assert answer["rejected"] == 0, answer

    def counts(self, name, **more):
        """How many playlogs have each value of a column."""
        question = Question(PLAYLOGS, "acme", (Metric("count"),), (Dimension(name),), **more)
        return {row[name]: row["count"] for row in self.services.queries.answer(question).table.to_pylist()}

    def total(self):
        question = Question(PLAYLOGS, "acme", (Metric("count"), Metric("sum", Function.SUM, "duration_seconds")))
        (row,) = self.services.queries.answer(question).table.to_pylist()
        return row["count"], row["sum"]

    def is_converted(self, day):
        """Whether the files of a day have the declared columns."""
        return all(file.data.columns is None for file in self.table.newest().files if file.data.day == day)

    def settle(self):
        self.services.storage.event_store.flush()
        maintenance_of(self.services, rebuilder_of(self.services)).compact(self.table, EAGER)


@pytest.fixture
def closing():
    with ExitStack() as closing:
        yield closing


@pytest.fixture(params=RELEASES)
def opened(request, tmp_path, closing):
    """`opened()` is a process on one kept home."""
    kept = unpacked(request.param, tmp_path)
    return lambda: Home(kept, closing)


@pytest.mark.parametrize(
    "column", ADDED, ids=lambda column: column.type.name + ("" if column.default is None else "-default")
)
def test_a_column_is_added(opened, declare, column):
    """Of any type, with a default and without: before and after a flush, a new row and a compaction."""
    declare(PLAYLOGS, **with_column(PLAYLOGS, column))
    home = opened()
    assert home.counts(column.name) == {column.default: ALL}
    home.services.storage.event_store.flush()
    assert home.counts(column.name) == {column.default: ALL}
    home.send(id="new")
    home.settle()
    assert home.counts(column.name) == {column.default: ALL + 1}
    assert home.is_converted("2026-10-02")


def test_no_file_is_rewritten_when_a_column_is_added(opened, declare):
    before = {file.name for file in opened().table.newest().files}
    declare(PLAYLOGS, **with_column(PLAYLOGS, TEXT))
    home = opened()
    home.send(id="new", campaign="spring")
    home.services.storage.event_store.flush()
    assert before < {file.name for file in home.table.newest().files}
    assert home.counts("campaign") == {None: ALL, "spring": 1}


def test_what_is_asked_of_a_new_column_meets_old_rows(opened, declare):
    declare(PLAYLOGS, **with_column(PLAYLOGS, WHOLE))
    home = opened()
    home.send(id="new", screens=3)
    assert home.counts("screens", where=Equals("screens", 1)) == {1: ALL}
    home.settle()
    assert home.counts("screens", where=Equals("screens", 3)) == {3: 1}


def test_corrections_replace_rows_of_an_earlier_schema(opened, declare):
    declare(PLAYLOGS, **with_column(PLAYLOGS, TEXT))
    home = opened()
    home.send(id="p5", campaign="corrected", played_at="2026-10-02T10:05:00")
    assert home.counts("campaign") == {None: ALL - 1, "corrected": 1}
    home.settle()
    assert home.counts("campaign") == {None: ALL - 1, "corrected": 1}


def test_columns_added_one_after_the_other(opened, declare):
    """Files of three schemas and the buffer of the first."""
    for column in (TEXT, WHOLE):
        declare(PLAYLOGS, **with_column(PLAYLOGS, column))
        home = opened()
        home.send(id=column.name)
        home.services.storage.event_store.flush()
        home.services.close()
    home = opened()
    assert home.counts("screens") == {1: ALL + 2}
    assert SchemaHistory.of(PLAYLOGS, home.table.open()).newest == 3
    home.settle()
    assert home.counts("campaign") == {None: ALL + 2}


def test_a_column_is_added_without_a_new_version(opened, declare):
    """The table follows what is declared, not the number."""
    declare(PLAYLOGS, columns=(*PLAYLOGS.columns, TEXT))
    home = opened()
    home.send(id="new", campaign="spring")
    home.settle()
    assert home.counts("campaign") == {None: ALL, "spring": 1}


def renamed(name, type_=None, **more):
    """Playlogs with `duration_seconds` under another name."""
    former = PLAYLOGS.column("duration_seconds")
    column = Column(name, type_ or former.type, former.doc, **more)
    columns = tuple(column if each is former else each for each in PLAYLOGS.columns)
    step = Renamed("duration_seconds", name, former.type if type_ else None)
    return {"columns": columns, "version": PLAYLOGS.version + 1, "steps": (*PLAYLOGS.steps, step)}


@pytest.mark.parametrize("type_", [None, Type.INT64], ids=["renamed", "narrowed"])
def test_a_column_is_renamed(opened, declare, type_):
    """Old files are read under the former name, new ones have the new name, compaction converts.

    A narrower type reads what it cannot hold as the default: 15.5 seconds are no whole number.
    """
    declare(PLAYLOGS, **renamed("seconds", type_))
    home = opened()
    was = None if type_ else 15.5
    plain = home.counts("seconds")
    home.send(id="new", seconds=30)
    home.settle()
    assert home.counts("seconds") == plain | {30: 1}
    assert plain[was] >= 100
    assert home.is_converted("2026-10-02")


def test_a_column_is_removed(opened, declare):
    kept = tuple(column for column in PLAYLOGS.columns if column.name != "ip")
    declare(PLAYLOGS, columns=kept, version=PLAYLOGS.version + 1, steps=(*PLAYLOGS.steps, Removed("ip")))
    home = opened()
    home.send(id="new")
    home.settle()
    assert home.counts("type") == {"I": ALL, "V": 1}


def test_removing_a_column_without_a_step_is_refused(opened, declare):
    """It cannot be told from a home that a newer program wrote."""
    kept = tuple(column for column in PLAYLOGS.columns if column.name != "ip")
    declare(PLAYLOGS, columns=kept)
    with pytest.raises(NewerHome, match="ip"):
        opened()


@pytest.mark.parametrize("stream", sorted(STREAMS))
def test_every_stream_can_gain_a_column(opened, declare, stream):
    """Changelogs with their versions, events with their rollups."""
    declare(STREAMS[stream], **with_column(STREAMS[stream], TEXT))
    home = opened()
    kept_us = KILLED_US - 10 * DAY_US  # viewer samples before have left, and no rollup has the column
    start_us = kept_us if STREAMS[stream].rollups else None
    question = Question(STREAMS[stream], "acme", (Metric("count"),), (Dimension("campaign"),), start_us=start_us)
    found = home.services.queries.answer(question).table.to_pylist()
    home.services.storage.event_store.flush()
    assert home.services.queries.answer(question).table.to_pylist() == found
    assert not found or found[0]["campaign"] is None
