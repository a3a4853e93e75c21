"""getResults: docs/vendors/pushwoosh.md#7."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from airtally.accounts.keys import KeyOptions
from airtally.kit.clock import MovableClock
from airtally.kit.errors import StorageFull
from airtally.kit.faults import Faults
from airtally.vendors.pushwoosh import routes
from fixtures.push import DAY, E1, E2, Push, fault, where
from fixtures.signage import until

PROCESSING = fault("Request is still being processed", 420)
FAILED = fault("Request failed", 500)
UNKNOWN = fault("Request not found")


class Hooks(Faults):
    """Holds jobs back while told to, and raises what is set."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.free.set()
        self.raised: dict[str, Exception] = {}

    def reach(self, point: str) -> None:
        if point == "statistics.run":
            self.free.wait(120)
        if point in self.raised:
            raise self.raised[point]


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    made = Hooks()
    yield made
    made.free.set()


@pytest.fixture
def hooked(own_push: Callable[..., Push], hooks: Hooks) -> Push:
    made = own_push(faults=hooks)
    made.declare()
    return made


def request_id(push: Push) -> str:
    return str(push.events_of()["response"]["request_id"])


def test_row_26_a_job_held_back(hooked: Push, hooks: Hooks) -> None:
    hooks.free.clear()
    asked, began = request_id(hooked), time.monotonic()
    assert hooked.call("getResults", request_id=asked) == PROCESSING
    assert time.monotonic() - began > 1.5, "and then it gives up, though the job is still held back"
    hooks.free.set()
    assert len(hooked.results(asked)) == 24


def test_row_27_a_job_that_fails(hooked: Push, hooks: Hooks) -> None:
    hooks.raised["statistics.run"] = ValueError("forced")
    asked = request_id(hooked)
    assert hooked.call("getResults", request_id=asked) == FAILED
    assert hooked.call("getResults", request_id=asked) == FAILED


def test_row_28_ids_that_are_not_there(push: Push, other: Push) -> None:
    asked = request_id(push)
    for wrong in ("DC1_" + "0" * 32, None, "", 7, asked.upper(), f"{asked} ", asked[4:], "DC1_" + "0" * 31 + "\0"):
        assert push.call("getResults", request_id=wrong) == UNKNOWN
    assert other.call("getResults", request_id=asked) == UNKNOWN


def test_row_29_results_stay_a_day_and_outlive_a_restart(
    own_push: Callable[..., Push], start_server: Callable[..., object], clock: MovableClock
) -> None:
    push = own_push()
    push.fill()
    asked = request_id(push)
    rows = push.results(asked)
    assert push.results(asked) == rows
    file = push.results(push.call("getTagStats", tag="Topics")["response"]["request_id"])["fileName"]
    push.server.stop()
    push.connect(start_server(clock=clock, public_url=push.server.url))  # type: ignore[arg-type]
    assert push.results(asked) == rows
    path = file.removeprefix(push.server.app.services.settings.public_url)
    assert push.http.get(path).status_code == 200
    clock.advance(86_399)
    assert push.results(asked) == rows
    clock.advance(1)
    assert push.call("getResults", request_id=asked) == UNKNOWN
    gone = push.http.get(path)
    assert (gone.status_code, "status_code" in gone.json()) == (404, False)


def test_what_is_over_is_removed(own_push: Callable[..., Push], clock: MovableClock) -> None:
    push = own_push()
    push.fill()
    push.rows()
    push.csv()
    services = push.server.services
    folder = services.settings.home / "files" / "statistics"
    assert len(list(folder.iterdir())) == 1
    [worker] = [each for each in services.background if each.name == "statistics"]
    assert worker.expire() is None
    clock.advance(86_400)
    assert worker.expire() == 0.0
    assert list(folder.iterdir()) == []
    assert services.statistics.expired() == []
    assert not [kind for kind, _ in services.jobs.counts() if kind == "statistics"]


def test_a_token_without_the_application_may_not_read_its_results(push: Push) -> None:
    keys = push.server.services.access.keys
    narrow = keys.create(push.account, "pushwoosh", KeyOptions(applications=(push.y,))).credentials["auth"]
    restricted = fault("Token restrictions forbid this operation", 403)
    assert push.call("getResults", request_id=request_id(push), auth=narrow) == restricted
    both = push.call("getTagStats", tag="Topics")["response"]["request_id"]
    assert push.call("getResults", request_id=both, auth=narrow) == restricted
    own = push.call("getTagStats", tag="Topics", auth=narrow)["response"]["request_id"]
    assert push.call("getResults", request_id=own, auth=narrow)["status_code"] == 200


def test_results_need_a_token(push: Push) -> None:
    answer = push.post("getResults", json={"request": {"request_id": request_id(push)}})
    assert answer.json() == fault("Account not found")


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits as long as it takes, for tests of what happens meanwhile."""
    monkeypatch.setattr(routes, "CHOICES", replace(routes.CHOICES, wait_seconds=120.0))


def test_it_is_ready_at_the_first_look(push: Push, patient: None) -> None:
    """A client that never polls reads its result at once."""
    push.rows()
    assert push.call("getResults", request_id=request_id(push))["status_code"] == 200


def test_many_wait_and_none_stands_in_the_way(hooked: Push, hooks: Hooks, patient: None) -> None:
    hooks.free.clear()
    asked = request_id(hooked)
    with ThreadPoolExecutor(60) as pool:
        waiting = [pool.submit(hooked.call, "getResults", request_id=asked) for _ in range(60)]
        time.sleep(0.3)
        assert hooked.http.get("/healthz").status_code == 200
        assert hooked.events_of()["status_code"] == 200
        assert not any(each.done() for each in waiting)
        hooks.free.set()
        assert {each.result()["status_code"] for each in waiting} == {200}


def test_what_was_acknowledged_before_is_in_it(hooked: Push, hooks: Hooks) -> None:
    hooks.free.clear()
    hooked.events(E1)
    asked = request_id(hooked)
    hooks.free.set()
    assert hooked.results(asked)[0]["count"] == 1
    hooked.events(E2)
    assert hooked.results(asked)[0]["count"] == 1
    assert hooked.rows()[0]["count"] == 2


def test_a_job_under_way_at_a_stop_is_done_after_it(
    hooked: Push, hooks: Hooks, start_server: Callable[..., object], clock: MovableClock
) -> None:
    hooks.free.clear()
    asked = request_id(hooked)
    stopping = threading.Thread(target=hooked.server.stop)
    worker = next(each for each in hooked.server.services.background if each.name == "statistics")
    stopping.start()
    until(worker._stopping.is_set)
    hooks.raised["statistics.run"] = RuntimeError("torn out of its work")
    hooks.free.set()
    stopping.join()
    hooked.connect(start_server(clock=clock))  # type: ignore[arg-type]
    assert len(hooked.results(asked)) == 24


def test_trouble_that_passes_is_waited_out(hooked: Push, hooks: Hooks, clock: MovableClock) -> None:
    hooked.tags("Topics", d1=["sport"])
    hooks.raised["files.write"] = StorageFull("There is no room")
    asked = hooked.call("getTagStats", tag="Topics")["response"]["request_id"]
    until(lambda: hooked.server.services.jobs.find("statistics", asked).error)
    assert hooked.call("getResults", request_id=asked) == PROCESSING
    hooks.raised.clear()
    clock.advance(2)
    assert list(hooked.results(asked)) == ["fileName"]


def test_no_room_for_the_request_itself(hooked: Push, hooks: Hooks) -> None:
    counts = hooked.server.services.jobs.counts()
    hooks.raised["metadata.write"] = StorageFull("There is no room")
    request = {"auth": hooked.token, "application": hooked.x, "event": "CartOpen"} | DAY
    answer = hooked.post("getEventStatistics", json={"request": request})
    hooks.raised.clear()
    assert (answer.status_code, answer.json()) == (500, fault("Internal error", 500))
    assert hooked.server.services.jobs.counts() == counts


def test_an_engine_that_reads_the_lake_alone(own_push: Callable[..., Push], sail_url: str) -> None:
    """What was acknowledged is flushed before it is counted."""
    push = own_push(engine=sail_url)
    push.declare()
    push.events(E1, E2)
    push.tags("Topics", d1=["sport", "news"])
    assert push.counts(where("source", "EQ", "mail")) == {"2026-03-10 00:00": 1}
    assert push.csv(applications=[push.x]) == f"{push.x};news;1\n{push.x};sport;1\n"
