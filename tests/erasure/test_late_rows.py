"""Rows in the buffer of a machine that was given up do not come back after an erasure."""

from __future__ import annotations

from airtally.erasure.records import ErasureState
from fixtures.erasures import ErasureHome


def test_an_erasure_waits_for_a_silent_writer_and_names_its_host(erasure_home: ErasureHome) -> None:
    lost = erasure_home.again()
    lost.events({"user_id": "ann"}, {"user_id": "bob"})
    lost.abandon()
    erasure = erasure_home.erase(user_id="ann")
    assert erasure.state is ErasureState.WAITING
    assert len(erasure.waiting_for) == 1
    assert "have not moved their rows into the lake" in (erasure.error or "")
    erasure_home.services.storage.buffer.adopt_orphans()
    erasure_home.clock.advance(1)
    erasure = erasure_home.run(erasure)
    assert (erasure.state, erasure.waiting_for, erasure.error) == (ErasureState.ERASED, (), None)
    assert [row["user_id"] for row in erasure_home.stored("app_events")] == ["bob"]


def test_rows_of_a_writer_that_was_given_up_are_left_out(erasure_home: ErasureHome) -> None:
    lost = erasure_home.again()
    lost.events({"user_id": "ann"}, {"user_id": "bob"})
    lost.devices({"hwid": "h1", "email": "ANN@x.org"})
    lost.abandon()
    erasure_home.services.storage.writers.forget(lost.services.storage.buffer.id)
    erasure = erasure_home.finish(erasure_home.erase(user_id="ann", email="ann@x.org"))
    assert erasure.state is ErasureState.DONE
    erasure_home.services.storage.buffer.adopt_orphans()
    erasure_home.flush()
    assert [row["user_id"] for row in erasure_home.stored("app_events")] == ["bob"]
    assert erasure_home.stored("devices") == []
    erasure_home.events({"user_id": "ann"})
    erasure_home.flush()
    assert sorted(row["user_id"] for row in erasure_home.stored("app_events")) == ["ann", "bob"]


def test_a_flush_of_erased_rows_alone_ends(erasure_home: ErasureHome) -> None:
    lost = erasure_home.again()
    lost.events({"user_id": "ann"})
    lost.abandon()
    erasure_home.services.storage.writers.forget(lost.services.storage.buffer.id)
    erasure_home.erase(user_id="ann")
    buffer = erasure_home.services.storage.buffer
    buffer.adopt_orphans()
    erasure_home.flush()
    erasure_home.services.usage.metering.step()  # it is kept until its rows are counted
    buffer.tidy()
    assert buffer.ids == (buffer.id,)
    assert erasure_home.stored("app_events") == []
