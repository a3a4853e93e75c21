"""Homes of releases that called the writer of a row `machine`: nothing is lost or comes twice, compaction converts."""

from __future__ import annotations

import csv
import json
from contextlib import ExitStack

import pyarrow.parquet as pq
import pytest
from sqlglot import exp

from airtally.background import maintenance_of, rebuilder_of
from airtally.datasets.stored import stored_name
from airtally.engine.child_process import InProcess
from airtally.ingest.service import Batch
from airtally.kit.clock import MovableClock
from airtally.query.changelog import VersionsQuery
from airtally.query.question import Dimension, Metric, Question
from airtally.runtime import open_services
from airtally.services import Engines
from airtally.sql.compiler import Binder, column
from airtally.sql.statement import Rows
from airtally.storage.lake.compaction import EAGER
from airtally.streams import PLAYLOGS, SUBSCRIPTIONS
from fixtures.homes import KILLED_US, RELEASES, unpacked

STREAMS = (PLAYLOGS, SUBSCRIPTIONS)
PLAY = {"player_id": 1, "media_id": 8, "played_at": "2026-10-02T10:05:00", "id": "new"}


class Home:
    """A process on a kept home, without background work, an hour after the home was killed."""

    def __init__(self, kept, closing):
        self.services = open_services(kept.settings, clock=MovableClock(KILLED_US + 3600 * 1_000_000))
        closing.callback(self.services.close)
        self.services.engines.heavy.close()
        self.services.engines = Engines(self.services.engines.engine, InProcess())
        self.acme = self.services.access.accounts.by_slug("acme")

    def send(self, stream, **row):
        batch = Batch(stream, self.acme, json.dumps(row).encode(), "application/json")
        assert json.loads(self.services.intake.batches.accept(batch))["rejected"] == 0

    def compact(self):
        self.services.storage.event_store.flush()
        maintenance = maintenance_of(self.services, rebuilder_of(self.services))
        for stream in STREAMS:
            maintenance.compact(self.services.storage.lake.table(stream), EAGER)

    def written(self, stream):
        """Writer and sequence of each stored row, sorted, as the engine reads them."""
        snapshot, binder = self.services.storage.event_store.snapshot(stream, "acme"), Binder(stream)
        names = ("writer_id", "sequence")
        tree = exp.select(*map(column, names)).from_(binder.relation(Rows.all_of(snapshot), "rows"))
        return sorted(
            tuple(row.values()) for row in self.services.engines.engine.query(binder.statement(tree)).to_pylist()
        )

    def answers(self):
        """A count of events, and all versions of a changelog."""
        count = Question(PLAYLOGS, "acme", (Metric("count"),), (Dimension("type"), Dimension("player_id")))
        tables = (
            self.services.queries.answer(count).table,
            self.services.queries.versions(VersionsQuery(SUBSCRIPTIONS, "acme")),
        )
        return [sorted(map(repr, table.to_pylist())) for table in tables]

    def files(self, stream):
        return self.services.storage.lake.table(stream).newest().files

    def publish(self):
        """The events that a new publication brings, sorted."""
        (done,) = self.services.on_demand().run(self.acme, "data987")
        names = (stored_name("acme", done.subject.dataset.row_id, file.id) for file in done.files)
        texts = [b"".join(self.services.files.read(name)).decode() for name in names]
        return sorted(row["subscription_event_id"] for text in texts for row in csv.DictReader(text.splitlines()))


@pytest.fixture(params=RELEASES)
def home(request, tmp_path):
    with ExitStack() as closing:
        yield Home(unpacked(request.param, tmp_path), closing)


def test_rows_keep_their_writer_and_sequence(home):
    """Buffered, in files of both names, and in files that compaction has converted."""
    before = {stream: home.written(stream) for stream in STREAMS}
    answers = home.answers()
    for rows in before.values():
        assert all(None not in row for row in rows)
        assert len(set(rows)) == len(rows)
    home.services.storage.event_store.flush()
    assert ({stream: home.written(stream) for stream in STREAMS}, home.answers()) == (before, answers)
    home.compact()
    left = {stream: home.written(stream) for stream in STREAMS}
    assert (left[SUBSCRIPTIONS], home.answers()) == (before[SUBSCRIPTIONS], answers)
    assert set(left[PLAYLOGS]) < set(before[PLAYLOGS])
    assert len(left[PLAYLOGS]) == len(before[PLAYLOGS]) - 1  # the play that came twice


def test_a_compacted_file_holds_only_the_new_name(home):
    assert any("machine" in pq.read_schema(file.data.path).names for file in home.files(PLAYLOGS))
    home.compact()
    for stream in STREAMS:
        for file in home.files(stream):
            names = pq.read_schema(file.data.path).names
            assert ("writer_id" in names, "machine" in names) == (True, False)
            assert file.compacted


def test_an_event_that_comes_again_is_counted_once(home):
    """A row of either name is replaced by a later one, before and after a compaction."""
    home.send(PLAYLOGS, **PLAY)
    home.services.storage.event_store.flush()
    counted = home.answers()
    home.send(PLAYLOGS, **PLAY | {"id": "p5", "played_at": "2026-10-02T10:05:00"})
    for _ in range(2):
        assert home.answers() == counted
        home.compact()
    assert home.answers() == counted


def test_versions_published_by_the_release_are_not_published_again(home):
    """It published s0 to s4; what came later is one deletion in the lake and one row in its buffer."""
    assert home.publish() == ["s1", "s9"]
    assert home.publish() == []
    home.compact()
    assert home.publish() == []
    home.send(SUBSCRIPTIONS, business_id="abc123", subscription_event_id="s10")
    assert home.publish() == ["s10"]


def test_the_writer_of_a_file_is_known_from_its_statistics(home):
    """By either name: an extract of one writer's rows is sorted without that text."""
    home.send(PLAYLOGS, **PLAY)
    home.services.storage.event_store.flush()
    for file in home.files(PLAYLOGS):
        schema = pq.read_schema(file.data.path).names
        name = "writer_id" if "writer_id" in schema else "machine"
        assert [file.data.writer_id] == pq.read_table(file.data.path, partitioning=None).column(
            name
        ).unique().to_pylist()


def test_a_table_that_follows_is_not_changed_again(home):
    table = home.services.storage.lake.table(PLAYLOGS)
    table.open()
    version = table.newest().version
    table.open()
    assert table.newest().version == version


def test_the_killed_process_is_a_writer_until_its_buffer_is_drained(home):
    """Its row is in the table `nodes`, which programs of two releases share during a rolling upgrade."""
    (killed,) = home.services.storage.buffer.adopted
    assert killed in {each.id for each in home.services.storage.writers.all()}
    home.services.storage.event_store.flush()
    home.services.storage.buffer.settled(killed)
    home.services.storage.buffer.tidy()
    assert killed not in {each.id for each in home.services.storage.writers.all()}
