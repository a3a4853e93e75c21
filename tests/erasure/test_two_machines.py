"""Two machines share lake, files and PostgreSQL: each erases what its own buffer holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from airtally.erasure.records import ErasureFinding, ErasureState
from airtally.kit.clock import MovableClock
from fixtures.erasures import NOON_US, ErasureHome


@pytest.fixture
def machines(tmp_path: Path, postgres_url: str) -> Iterator[tuple[ErasureHome, ErasureHome]]:
    shared = {
        "lake": str(tmp_path / "lake"),
        "files": str(tmp_path / "files"),
        "database": postgres_url,
        "secret_key": "one key for all machines, with many characters",
    }
    with ExitStack() as closing:
        here = ErasureHome(tmp_path / "here", MovableClock(NOON_US), closing, **shared)
        yield here, here.again(home=tmp_path / "there")


def test_the_other_machine_is_waited_for_and_answers(machines: tuple[ErasureHome, ErasureHome]) -> None:
    here, there = machines
    there.events({"user_id": "ann"}, {"user_id": "bob"})
    here.events({"user_id": "ann"})
    erasure = here.erase(user_id="ann")
    assert (erasure.state, len(erasure.waiting_for)) == (ErasureState.WAITING, 1)
    there.services.privacy.acknowledgements.step()
    erasure = here.run(erasure)
    assert erasure.state is ErasureState.ERASED, erasure
    assert here.findings(erasure)["lake", "app_events"] == ErasureFinding("lake", "app_events", 2, 2)
    assert here.count() == there.count() == 1


def test_a_silent_machine_is_waited_for_until_it_is_given_up(machines: tuple[ErasureHome, ErasureHome]) -> None:
    here, there = machines
    there.events({"user_id": "ann"}, {"user_id": "bob"})
    there.abandon()
    erasure = here.erase(user_id="ann")
    assert erasure.state is ErasureState.WAITING
    here.services.storage.writers.forget(there.services.storage.buffer.id)
    here.clock.advance(1)
    assert here.run(erasure).state is ErasureState.ERASED
    back = there.again(home=there.home)
    back.services.storage.buffer.adopt_orphans()
    back.flush()
    assert here.count() == back.count() == 1
    assert [row["user_id"] for row in here.stored("app_events")] == ["bob"]


def test_either_machine_goes_on_with_a_job(machines: tuple[ErasureHome, ErasureHome]) -> None:
    here, there = machines
    here.events({"user_id": "ann"}, {"user_id": "bob"})
    erasure = here.request(user_id="ann")
    there.run(erasure)
    here.services.privacy.acknowledgements.step()
    there.clock.advance(3)
    assert there.run(erasure).state is ErasureState.ERASED
    assert here.count() == 1
    assert there.finish(erasure).state is ErasureState.DONE


def test_an_account_is_deleted_on_both(machines: tuple[ErasureHome, ErasureHome]) -> None:
    here, there = machines
    for each in machines:
        each.events({"user_id": "ann"})
        each.events({"user_id": "ann"}, account=each.rival)
    asked = here.services.privacy.closing.delete("acme")
    here.run(asked)
    there.services.privacy.acknowledgements.step()
    here.clock.advance(3)
    here.worker.run_now(asked.id)
    deletion = there.services.privacy.closing.deletion("acme")
    assert deletion is not None
    assert deletion.state is ErasureState.ERASED
    assert here.stored("app_events") == []
    assert there.count(there.rival) == 2
