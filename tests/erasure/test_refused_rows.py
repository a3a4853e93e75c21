"""Refused rows that others change at the same moment: an erasure is not done while one names the person."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import select, update

from airtally.database.tables import quarantine
from airtally.erasure.records import ErasureFinding, ErasureState
from airtally.ingest.rejected import packed_rows, unpacked_rows
from airtally.kit.clock import MovableClock
from airtally.kit.faults import Faults
from fixtures.erasures import NOON_US, ErasureHome


class _Meddler(Faults):
    """Changes the entry that an erasure has just read, `left` times."""

    home: ErasureHome
    deed: Callable[[ErasureHome], None]
    left = 0

    def reach(self, point: str) -> None:
        if point == "erasure.quarantine" and self.left:
            self.left -= 1
            self.deed(self.home)


@pytest.fixture
def meddler(tmp_path: Path) -> Iterator[_Meddler]:
    faults = _Meddler()
    with ExitStack() as closing:
        faults.home = ErasureHome(tmp_path / "home", MovableClock(NOON_US), closing, faults)
        yield faults


def refuse(home: ErasureHome, *users: str) -> None:
    home.send("app_events", *({"evnt": "x", "user_id": user} for user in users))


def add_a_row(home: ErasureHome) -> None:
    with home.services.store.begin() as connection:
        rows = list(unpacked_rows(connection.execute(select(quarantine.c.content)).scalar_one()))
        content = packed_rows([*rows, rows[-1]])
        connection.execute(update(quarantine).values(rows=len(rows) + 1, content=content))


def leave_the_last(home: ErasureHome) -> None:
    """As if the entry was sent again, and its last row was refused again."""
    entries = home.services.intake.quarantine
    [entry] = entries.entries(home.account)
    rows = list(entries.rows(home.account, entry.id))
    entries.split(home.account, entry, rows[:-1], rows[-1:])


def kept(home: ErasureHome) -> list[str]:
    with home.services.store.read() as connection:
        contents = connection.execute(select(quarantine.c.content).order_by(quarantine.c.id)).scalars().all()
    return [row.raw or row.row or "" for content in contents for row in unpacked_rows(content)]


def test_an_entry_that_changes_at_each_try_puts_the_erasure_off(meddler: _Meddler) -> None:
    home = meddler.home
    refuse(home, "ann", "bob")
    meddler.deed, meddler.left = add_a_row, 5
    erasure = home.erase(user_id="ann")
    assert erasure.state is ErasureState.ERASING
    assert "quarantine entry 1 were changed at each of 5 tries" in (erasure.error or "")
    home.clock.advance(10)
    erasure = home.run(erasure)
    assert (erasure.state, erasure.error) == (ErasureState.ERASED, None)
    assert not any("ann" in row for row in kept(home))
    assert home.findings(erasure)["quarantine", "rows"] == ErasureFinding("quarantine", "rows", 1, 1)


def test_rows_that_are_sent_again_meanwhile_are_found_in_their_new_entry(meddler: _Meddler) -> None:
    refuse(meddler.home, "bob", "ann")
    meddler.home.clock.advance(5)
    meddler.deed, meddler.left = leave_the_last, 1
    erasure = meddler.home.erase(user_id="ann")
    assert meddler.left == 0
    assert erasure.state is ErasureState.ERASED
    assert [json.loads(row)["user_id"] for row in kept(meddler.home)] == ["bob"]
