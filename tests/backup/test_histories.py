"""Whatever happens while a home is copied, the copy's figures are those of its rows, from rollups and from rows alike."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from airtally.backup.copying import Copier
from airtally.backup.make import HomeBackup
from airtally.backup.restore import HomeRestore
from airtally.kit.faults import Faults
from airtally.kit.time import DAY_US, SECOND_US
from airtally.query.buckets import Bucket
from airtally.query.question import BUCKET, Metric, Question
from airtally.settings import Settings
from airtally.streams import VIEWER_SAMPLES
from fixtures.accounts import NOW_US
from fixtures.rollups import RollupHome

TODAY = NOW_US - NOW_US % DAY_US
FIRST = TODAY - 12 * DAY_US
#: How many there may be at each point: several between the looks at rollups and at rows.
CHANGES = {"backup.moment": (0, 1, 3), "backup.lake": (0, 1, 3), "backup.pin": (0, 6), "backup.copy": (0, 0, 0, 1)}


class History(Faults):
    """Random changes of the home, at each point of a backup too; counts what was acknowledged by day."""

    def __init__(self, home: RollupHome, seed: int) -> None:
        self.home, self.draw = home, random.Random(seed)
        self.account = home.account("acme")
        self.before: Counter[int] = Counter()
        self.later: Counter[int] = Counter()
        self.noted = self.before
        self.sent = 0
        self.days_gone = 0

    def change(self) -> None:
        self.draw.choice((self.send, self.send, self.send, self.home.flush, self.rebuild, self.compact, self.expire))()

    def send(self) -> None:
        for _ in range(self.draw.randrange(1, 4)):
            day = TODAY + (self.days_gone - self.draw.randrange(10)) * DAY_US
            self.sent += 1
            at = day + self.draw.randrange(80_000) * SECOND_US
            row = {"app": "a", "video_url": "v", "server": f"s{self.sent}", "time": at, "viewers": 1}
            self.home.send(VIEWER_SAMPLES, self.account, [row])
            self.noted[day] += 1

    def rebuild(self) -> None:
        self.home.rebuild(VIEWER_SAMPLES)

    def compact(self) -> None:
        self.home.compact(VIEWER_SAMPLES)

    def expire(self) -> None:
        """A day later."""
        self.days_gone += 1
        self.home.clock.advance(86_400)
        self.home.maintenance().expire(self.home.services.storage.lake.table(VIEWER_SAMPLES))

    def reach(self, point: str) -> None:
        if point.startswith("backup."):
            self.noted = self.later
            for _ in range(self.draw.choice(CHANGES[point])):
                self.change()


def by_day() -> Question:
    return Question(
        *(VIEWER_SAMPLES, "acme", (Metric("samples"),)),
        start_us=FIRST,
        end_us=FIRST + 60 * DAY_US,
        bucket=Bucket.DAY,
    )


def counted(rows: list[dict[str, int]]) -> dict[int, int]:
    return {row[BUCKET]: row["samples"] for row in rows if row["samples"]}


#: Rollups that are pinned after the rows they are made of are found by the last of the quick ones.
QUICK = (0, 1, 14)
SEEDS = [*QUICK, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(20) if seed not in QUICK)]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_copy_made_in_the_middle_of_anything_is_exact(new_home, clock, tmp_path: Path, seed: int) -> None:
    home = new_home()
    history = History(home, seed)
    for _ in range(12):
        history.change()
    settings = home.services.settings
    HomeBackup(settings, tmp_path / "copy", clock, copier=Copier(history)).run()
    HomeRestore(tmp_path / "copy", Settings(home=tmp_path / "other")).run()
    with closing(RollupHome(tmp_path / "other", clock)) as copy:
        copy.services.start()
        found = counted(copy.ask(by_day()))
        low, high = history.before, history.before + history.later
        wrong = {day: (low[day], n, high[day]) for day, n in found.items() if not low[day] <= n <= high[day]}
        assert wrong == {}
        assert low.keys() <= found.keys()
        of_rows = counted(copy.ask_rows(by_day()))
        assert {day: found[day] for day in of_rows} == of_rows, "rollups say what rows say"
        copy.flush()
        copy.rebuild(VIEWER_SAMPLES)
        assert counted(copy.ask(by_day())) == found
