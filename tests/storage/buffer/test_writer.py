"""The group commit: accounts take turns."""

from __future__ import annotations

import threading

import pytest

from airtally.kit.faults import Faults
from airtally.storage.buffer import writer
from airtally.streams import PLAYLOGS
from fixtures.signage import until
from fixtures.storage import Storage, playlogs


class Gate(Faults):
    """Holds the first write up until it is opened; counts them."""

    def __init__(self) -> None:
        self.open, self.writes = threading.Event(), 0

    def reach(self, point: str) -> None:
        if point == "buffer.write":
            self.writes += 1
            self.open.wait(60)


def test_appends_of_accounts_take_turns_in_the_group_commit(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_GROUP_APPENDS", 2)
    gate, written = Gate(), {}
    buffer = storage.again(faults=gate).buffer

    def begin(account: str):
        on_disk = buffer.append(PLAYLOGS, account, playlogs((1, None, 0)))
        on_disk.add_done_callback(lambda _: written.setdefault(account, gate.writes))
        return on_disk

    waiting = [begin("loud")]
    until(lambda: gate.writes == 1)
    waiting += [begin("loud") for _ in range(10)]
    last = begin("quiet")
    gate.open.set()
    last.result(60)
    assert written["quiet"] == 2  # the one that was under way, and its own
    for each in waiting:
        each.result(60)
    assert gate.writes >= 6
