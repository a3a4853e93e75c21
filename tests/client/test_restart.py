"""A server that is killed while rows are sent, and started again: each row is counted once."""

from __future__ import annotations

import itertools
import random
import threading
import time

import pytest

from airtally.client import BatchSize
from fixtures.sent import Caller, plays


class Killer(threading.Thread):
    """Kills the server at a moment by chance after it is up, and starts it again, so many times."""

    def __init__(self, killable, kills):
        super().__init__()
        self.killed = 0
        self.given_up, self.is_done = threading.Event(), threading.Event()
        self._killable, self._kills, self._chance = killable, kills, random.Random(kills)

    def run(self):
        while self.killed < self._kills and not self.given_up.is_set():
            if self._killable.is_up():
                self.given_up.wait(self._chance.uniform(0.05, 0.6))
                self._killable.kill()
                self._killable.start()
                self.killed += 1
            time.sleep(0.02)
        self.is_done.set()


@pytest.mark.parametrize("kills", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_killed_and_started_again_while_rows_are_sent(form, killable, kills):
    killer = Killer(killable, kills)

    def source():
        """Rows until the last kill, and some after it."""
        for number in itertools.count():
            if killer.is_done.is_set() and number % 100 == 0:
                break
            yield from plays(200, first=200 * number)
            time.sleep(0.0005)

    killer.start()
    try:
        caller = Caller(form, killable.url, killable.token)
        result = caller.send("playlogs", source(), size=BatchSize(rows=1000))
    finally:
        killer.given_up.set()
        killer.join()
    assert killer.killed == kills
    assert result.rejected == 0
    found = caller.rows("playlogs", metrics=["count", "distinct(media_id) as different"])
    assert found == [{"count": result.accepted, "different": result.accepted}]
