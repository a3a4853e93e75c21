"""Of several processes on one socket, the one with the fewest connections takes the next."""

from __future__ import annotations

from pathlib import Path

from airtally.web.turns import Alone, TurnsOfWorkers, make_turns


def test_who_has_more_waits(tmp_path: Path) -> None:
    path = tmp_path / "connections"
    make_turns(path, 2)
    first, second = (TurnsOfWorkers(path, number, 2) for number in (1, 2))
    assert not first.waits(0)
    assert first.waits(1)
    assert not second.waits(1)
    assert not first.waits(1), "as many is no reason to wait"
    assert second.waits(2)
    TurnsOfWorkers(path, 1, 2)  # started again, with none
    assert second.waits(1)
    assert not Alone().waits(1000)
