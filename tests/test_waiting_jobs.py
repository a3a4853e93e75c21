"""An account over its limit of waiting jobs is refused in each vendor's form, and delays no other account."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from airtally.jobs.queue import Job
from airtally.jobs.worker import WorkerOptions
from airtally.kit.faults import Faults
from fixtures.push import Push
from fixtures.server import LiveServer
from fixtures.signage import Site

MOST = 3
DAY = {"startDate": "2026-10-01", "endDate": "2026-10-01"}


@dataclass
class Held(Faults):
    """Reports and statistics are held back until they are let go."""

    free: threading.Event = field(default_factory=threading.Event)

    def reach(self, point: str) -> None:
        if point in {"report.build", "statistics.run"}:
            self.free.wait(120)


@pytest.fixture
def held() -> Iterator[Held]:
    made = Held()
    yield made
    made.free.set()


def test_a_report_beyond_the_limit(start_server: Callable[..., LiveServer], held: Held) -> None:
    site = Site(start_server(faults=held, waiting_jobs=MOST))
    body = {"type": "detailed", "filter": DAY}
    asked = [site.post(body) for _ in range(MOST + 1)]

    assert [answer.status_code for answer in asked] == [200] * MOST + [429]
    refused = asked[-1].json()
    assert refused.keys() == {"message", "details"}
    assert refused["details"]["report"][0].startswith(f"{MOST} reports and statistics")
    assert int(asked[-1].headers["retry-after"]) > 0
    assert len(site.get("/v1/reports").json()["results"]) == MOST, "nothing of the refused one is stored"
    held.free.set()
    for answer in asked[:MOST]:
        assert site.ended(answer.json()["id"])["status"] == "success"
    assert site.post(body).status_code == 200
    site.http.close()


def test_statistics_beyond_the_limit(start_server: Callable[..., LiveServer], held: Held) -> None:
    push = Push(start_server(faults=held, waiting_jobs=MOST))
    push.declare()
    for _ in range(MOST):
        push.events_of()
    answer = push.events_of()

    assert (answer["status_code"], answer["response"]) == (500, None)
    assert answer["status_message"].startswith(f"{MOST} reports and statistics")
    push.close()


def test_another_account_is_not_kept_waiting(start_server: Callable[..., LiveServer]) -> None:
    """Reports of one account are held back in as many workers as it may have; another's goes through beside them."""
    busy: list[Job] = []
    server = start_server()
    loud, quiet = Site(server), Site(server)
    builder = next(each for each in server.services.background if each.name == "reports")
    work, free = builder.work, threading.Event()

    def waits(job: Job, lease: object) -> None:
        if job.account_id == loud.account.id:
            busy.append(job)
            free.wait(120)
        work(job, lease)

    builder.work = waits
    body = {"type": "detailed", "filter": DAY}
    try:
        for _ in range(20):
            assert loud.post(body).status_code == 200
        assert quiet.ended(quiet.post(body).json()["id"], 60)["status"] == "success"
        assert len(busy) <= WorkerOptions().each
    finally:
        free.set()
        for site in (loud, quiet):
            site.http.close()
