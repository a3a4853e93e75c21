"""Published datasets get an erased record's deletion as a new version, once."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from airtally.engine.child_process import InProcess
from airtally.erasure.person import person_of
from airtally.erasure.records import Erasure
from airtally.jobs.queue import LEASE_SECONDS
from airtally.kit.clock import MovableClock
from fixtures.datasets import BEFORE_NOON_US, DatasetHome, current
from fixtures.erasures import DeathAt
from fixtures.killed import Killed


class PublishingHome(DatasetHome):
    def erase(self, cid: str) -> Erasure:
        asked = self.services.privacy.erasures.request(self.account, person_of({"cid": [cid]}))
        self.run(asked)
        return asked

    def run(self, asked: Erasure) -> None:
        self.services.privacy.worker().run_now(asked.id)

    def next_files(self) -> list[dict[str, str]]:
        """The rows of what is published now."""
        self.clock.advance(1)
        before = len(self.rows())
        self.publish()
        return self.rows()[before:]


@pytest.fixture
def home(tmp_path: Path):
    with ExitStack() as closing:
        yield PublishingHome(tmp_path / "home", MovableClock(BEFORE_NOON_US), closing)


def test_the_next_file_deletes_the_record(home: PublishingHome) -> None:
    home.send(
        {"subscription_event_id": "e1", "cid": "ann", "offer_name": "Gold"},
        {"subscription_event_id": "e2", "cid": "bob"},
    )
    assert {row["subscription_event_id"] for row in home.next_files()} == {"e1", "e2"}
    asked = home.erase("ann")
    [row] = home.next_files()
    assert (row["subscription_event_id"], row["is_deleted"], row["cid"], row["offer_name"]) == ("e1", "1", "", "")
    assert set(current(home.rows(), "subscription_event_id")) == {"e2"}
    findings = {(each.store, each.part): each for each in home.services.privacy.erasures.findings(asked)}
    assert findings["files", "dataset data987"].remains == 1
    assert "2028-11-02" in (findings["files", "dataset data987"].why or "")


def test_rows_that_stay_are_not_published_again(home: PublishingHome) -> None:
    home.send(*({"subscription_event_id": f"e{n}", "cid": "ann" if n % 2 else "bob"} for n in range(6)))
    home.next_files()
    home.erase("ann")
    assert [row["subscription_event_id"] for row in home.next_files()] == ["e1", "e3", "e5"]
    assert home.next_files() == []


def test_a_record_sent_again_since_is_not_deleted(home: PublishingHome) -> None:
    home.send({"subscription_event_id": "e1", "cid": "ann"}, {"subscription_event_id": "e2", "cid": "ann"})
    home.next_files()
    asked = home.services.privacy.erasures.request(home.account, person_of({"cid": ["ann"]}))
    home.services.privacy.acknowledgements.step()
    home.clock.advance(1)
    home.send({"subscription_event_id": "e1", "cid": "carl"})
    home.services.storage.event_store.flush()
    home.run(asked)
    files = home.next_files()
    assert sorted((row["subscription_event_id"], row["cid"], row["is_deleted"]) for row in files) == [
        ("e1", "carl", "0"),
        ("e2", "", "1"),
    ]
    assert set(current(home.rows(), "subscription_event_id")) == {"e1"}


def test_a_deleted_record_gets_no_further_version(home: PublishingHome) -> None:
    home.send({"subscription_event_id": "e1", "cid": "ann"})
    home.clock.advance(1)
    home.send({"subscription_event_id": "e1", "is_deleted": 1})
    home.next_files()
    home.erase("ann")
    assert home.next_files() == []


def test_sessions_of_a_customer_go_with_the_subscriptions(home: PublishingHome) -> None:
    home.send({"subscription_event_id": "e1", "cid": "ann"})
    home.send({"session_id": "s1", "cid": "ann"}, {"session_id": "s2", "cid": "bob"}, stream="playback")
    home.clock.advance(1)
    home.publish("data986")
    home.erase("ann")
    home.clock.advance(1)
    home.publish("data986")
    assert set(current(home.rows("data986"), "session_id")) == {"s2"}


def test_an_erasure_again_announces_nothing_twice(home: PublishingHome) -> None:
    home.send({"subscription_event_id": "e1", "cid": "ann"})
    home.next_files()
    home.erase("ann")
    home.erase("ann")
    assert len(home.next_files()) == 1
    assert home.next_files() == []


def test_a_death_at_any_point_announces_each_record_once(home: PublishingHome) -> None:
    home.send(*({"subscription_event_id": f"e{n}", "cid": "ann" if n < 3 else "bob"} for n in range(5)))
    home.next_files()
    asked = home.services.privacy.erasures.request(home.account, person_of({"cid": ["ann"]}))
    state, deaths, process = asked.state, 0, home
    while state != "erased":
        deaths += 1
        assert deaths < 200
        process.abandon()
        home.clock.advance(LEASE_SECONDS + 1)
        faults = DeathAt(deaths * 2)
        process = process.again(faults)
        process.services.privacy.lake_rows._runner = InProcess()  # each process would start a child
        faults.armed = True
        with suppress(Killed):
            process.services.privacy.worker().run_now(asked.id)
        faults.armed = False
        state = process.services.privacy.erasures.get(home.account, asked.id).state
    assert deaths > 8
    home.clock.advance(1)
    before = len(process.rows())
    process.publish()
    assert sorted(row["subscription_event_id"] for row in process.rows()[before:]) == ["e0", "e1", "e2"]
    assert set(current(process.rows(), "subscription_event_id")) == {"e3", "e4"}
