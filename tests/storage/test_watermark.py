"""Two machines on one metadata store and one lake: no answer claims rows that another machine still holds.

Each has a home of its own, so neither can read the other's buffer.
"""

from __future__ import annotations

import json
import time
from contextlib import ExitStack

import pytest

from airtally.ingest.service import Batch
from airtally.query.question import Metric, Question
from airtally.runtime import open_services
from airtally.settings import Settings
from airtally.storage import watermark
from airtally.streams import PLAYLOGS

PLAY = {"player_id": 1, "media_id": 8, "played_at": "2026-10-01T08:00:00"}


class Machine:
    """Services on a home of their own; of what runs beside the answers nothing does but what a test calls."""

    def __init__(self, home, url, lake, closing):
        self.settings = Settings(home=home, database=url, lake=lake, rate_limits=False)
        self.closing = closing
        self.open()

    def open(self):
        self.services = open_services(self.settings)
        self.closing.callback(self.services.close)
        self.services.storage.writers.join()
        found = self.services.access.accounts.all()
        self.account = found[0] if found else self.services.access.accounts.create("Acme", "acme")

    def send(self):
        """One acknowledged row; the moment after."""
        batch = Batch(PLAYLOGS, self.account, json.dumps(PLAY).encode(), "application/json")
        assert json.loads(self.services.intake.batches.accept(batch))["accepted"] == 1
        return self.services.clock.now_us()

    def answer(self):
        """The number of rows, and through when it claims to be complete."""
        answer = self.services.queries.answer(Question(PLAYLOGS, "acme", (Metric("count"),)))
        (row,) = answer.table.to_pylist() or [{"count": 0}]
        return row["count"], answer.data_through_us

    def kill(self):
        """As after kill -9: the buffer's file stays, its lock goes."""
        buffer = self.services.storage.buffer
        buffer._writer.stop()
        buffer._closed = True
        for store in buffer._stores():
            store.close()
        self.services.storage.writers.leave = lambda: None


@pytest.fixture(params=["folder", "bucket"])
def lake(request, tmp_path):
    return str(tmp_path / "lake") if request.param == "folder" else f"{request.getfixturevalue('bucket')}/lake"


@pytest.fixture
def machines(empty_postgres_url, lake, tmp_path, monkeypatch):
    """`machines(name)` opens one; looks at the writers are not remembered."""
    monkeypatch.setattr(watermark, "REFRESH_SECONDS", 0.0)
    with ExitStack() as closing:
        yield lambda name: Machine(tmp_path / name, empty_postgres_url, lake, closing)


def test_an_answer_is_complete_to_what_every_writer_has_flushed(machines):
    here, there = machines("here"), machines("there")
    acknowledged = there.send()
    count, through = here.answer()
    assert (count, through < acknowledged) == (0, True)
    there.services.storage.writers.step()  # with another machine about it flushes of itself
    count, through = here.answer()
    assert (count, through >= acknowledged) == (1, True)
    assert there.answer()[0] == 1


def test_a_machine_sees_its_own_rows_at_once(machines):
    here, _ = machines("here"), machines("there")
    here.send()
    assert here.answer()[0] == 1


def test_one_machine_alone_is_complete_to_now(machines):
    here = machines("here")
    acknowledged = here.send()
    count, through = here.answer()
    assert (count, through >= acknowledged) == (1, True)


def test_a_writer_that_joins_after_the_look(machines, monkeypatch):
    """The look is a bound itself: whoever joins later has later rows alone."""
    here = machines("here")
    monkeypatch.setattr(watermark, "REFRESH_SECONDS", 3600.0)
    here.answer()
    acknowledged = machines("there").send()
    count, through = here.answer()
    assert (count, through < acknowledged) == (0, True)


def test_a_dead_writer_holds_until_its_buffer_is_drained(machines):
    here, there = machines("here"), machines("there")
    acknowledged = there.send()
    there.kill()
    assert here.answer()[1] < acknowledged
    there.open()  # its machine is back: the buffer is adopted and moved into the lake
    there.services.storage.event_store.flush()
    there.services.usage.metering.step()  # an adopted buffer is kept until its rows are counted
    there.services.storage.buffer.tidy()
    there.services.storage.writers.step()
    count, through = here.answer()
    assert (count, through >= acknowledged) == (1, True)
    assert len(here.services.storage.writers.all()) == 2


def test_a_dead_writer_holds_until_it_is_given_up(machines):
    here, there = machines("here"), machines("there")
    acknowledged = there.send()
    there.kill()
    for _ in range(3):
        here.services.storage.writers.step()
    assert here.answer()[1] < acknowledged
    (dead,) = (each for each in here.services.storage.writers.all() if each.id == there.services.storage.buffer.id)
    assert here.services.storage.writers.forget(dead.id)
    count, through = here.answer()
    assert (count, through >= acknowledged) == (0, True)
    assert not here.services.storage.writers.forget(dead.id)


def test_a_report_is_complete_to_what_it_saw(machines):
    """What reads only the lake, as the child process does."""
    here, there = machines("here"), machines("there")
    acknowledged = there.send()
    there.kill()
    snapshot = here.services.storage.event_store.snapshot(PLAYLOGS, "acme", flushed=True)
    assert snapshot.data_through_us < acknowledged


def test_the_time_of_leases_is_the_databases(machines):
    """A machine whose clock is wrong takes nobody's job too early."""
    here = machines("here")
    clock = here.services.jobs._clock
    assert type(clock).__name__ == "DatabaseClock"
    assert abs(clock.now_us() - time.time_ns() // 1000) < 60_000_000
