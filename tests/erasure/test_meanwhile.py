"""Rows come in, are flushed and compacted, and segments are built while a person is erased: nothing else is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Self

from airtally.engine.child_process import InProcess
from airtally.erasure.records import ErasureState
from airtally.storage.lake.compaction import EAGER, Compactor
from airtally.storage.lake.delta import CommitConflict
from airtally.streams import APP_EVENTS
from fixtures.erasures import ErasureHome

SENT = 120


class Busy:
    """Threads that send, flush and compact until they are stopped."""

    def __init__(self, home: ErasureHome) -> None:
        self.home = home
        self.failures: list[BaseException] = []
        self._stop = threading.Event()
        compactor = Compactor(home.services.storage.lake.table(APP_EVENTS), InProcess())
        work = (self._send, home.flush, lambda: compactor.run(EAGER))
        self._threads = [threading.Thread(target=self._repeat, args=(each,)) for each in work]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self, work: Callable[[], object]) -> None:
        while not self._stop.is_set():
            try:
                work()
            except CommitConflict:
                continue
            except BaseException as error:  # noqa: BLE001 (told to the test)
                self.failures.append(error)
                return

    def _send(self) -> None:
        for number in range(SENT):
            self.home.events({"user_id": "ann", "id": f"a{number}"}, {"user_id": "bob", "id": f"b{number}"})
        self._stop.wait()


def test_what_happens_meanwhile_changes_nothing(erasure_home: ErasureHome) -> None:
    home = erasure_home
    with Busy(home) as busy:
        erasures = [home.request(user_id="ann") for _ in range(3)]
        for each in erasures:
            while home.run(each).state is not ErasureState.ERASED:
                assert not busy.failures, busy.failures
    assert busy.failures == []
    home.flush()
    rows = home.stored("app_events")
    late = [row for row in rows if row["user_id"] == "ann"]
    through = max(home.services.privacy.erasures.get(home.account, each.id).through or 0 for each in erasures)
    assert [row for row in late if round(row["received_at"].timestamp() * 1_000_000) <= through] == []
    assert len({row["id"] for row in rows if row["user_id"] == "bob"}) == SENT
    assert home.count() == SENT + len({row["id"] for row in late})
