"""Notices to webhooks: docs/vendors/fouryousee.md#8."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from airtally.kit.clock import MovableClock
from airtally.kit.faults import Faults
from airtally.reports.outbox import Delivery
from fixtures.receiver import Receiver
from fixtures.server import LiveServer
from fixtures.signage import Site, until

KEYS = ["id", "type", "format", "filter", "status", "url", "createdAt", "updatedAt"]


class Fails(Faults):
    """Every build fails."""

    def reach(self, point: str) -> None:
        if point == "report.build":
            raise RuntimeError("the test wants it")


def tries(site: Site, report_id: int | None = None) -> list[Delivery]:
    """Oldest first."""
    found = site.server.services.deliveries.latest(site.account.id, report_id=report_id)
    return list(reversed(found))


def settled(site: Site, count: int) -> bool:
    return sum(each.state in {"acknowledged", "refused"} for each in tries(site)) >= count


def test_row_35_acknowledged_at_once(plays: Site, receiver: Receiver, shared_server: LiveServer) -> None:
    fetched: list[bytes] = []
    receiver.on_notice = lambda body: fetched.append(httpx.get(json.loads(body)["url"]).content)
    report_id = plays.ask(webhook=receiver.url + "/hook?x=1")
    [body] = receiver.wait(1)
    report = plays.ended(report_id)
    assert json.loads(body) == report
    assert list(json.loads(body)) == KEYS
    assert report["status"] == "success"
    for forbidden in (b"null", b"true", b"false", b"\\/", b"'"):
        assert forbidden not in body
    assert receiver.paths == ["/hook?x=1"]
    assert receiver.headers[0]["Content-Type"] == "application/json"
    assert not {"Secret-Token", "Authorization"} & set(receiver.headers[0])
    until(lambda: settled(plays, 1))
    assert len(gzip.decompress(fetched[0]).splitlines()) == 3
    shared_server.services.clock.advance(3600)
    time.sleep(1.2)
    assert len(receiver.bodies) == 1


def test_row_36_never_acknowledged(own_site: Callable[..., Site], receiver: Receiver, clock: MovableClock) -> None:
    receiver.answers = [500]
    site = own_site()
    start = clock.now_us()
    report_id = site.ask(webhook=receiver.url)
    for number, wait in enumerate((0, 120, 360, 1080), 1):
        clock.advance(wait)
        receiver.wait(number)
        until(lambda number=number: settled(site, number))
    clock.advance(86_400)
    time.sleep(1.2)
    assert len(receiver.bodies) == 4
    assert len(set(receiver.bodies)) == 1
    assert [(each.due_at - start) // 1_000_000 for each in tries(site)] == [0, 120, 480, 1560]
    assert site.report(report_id)["status"] == "success"


def test_row_37_only_200_acknowledges(own_site: Callable[..., Site], receiver: Receiver, clock: MovableClock) -> None:
    receiver.answers = [204, 200]
    site = own_site()
    site.ask(webhook=receiver.url)
    receiver.wait(1)
    until(lambda: settled(site, 1))
    clock.advance(120)
    receiver.wait(2)
    until(lambda: settled(site, 2))
    clock.advance(3600)
    time.sleep(1.2)
    assert [(each.attempt, each.status_code) for each in tries(site)] == [(1, 204), (2, 200)]


def test_row_38_a_restart_between_two_tries(
    own_site: Callable[..., Site], start_server: Callable[..., LiveServer], receiver: Receiver, clock: MovableClock
) -> None:
    receiver.answers = [500, 200]
    site = own_site()
    site.ask(webhook=receiver.url)
    receiver.wait(1)
    until(lambda: settled(site, 1))
    clock.advance(60)
    site.server.stop()
    site.connect(start_server(clock=clock, outgoing_allow=site.server.services.settings.outgoing_allow))
    clock.advance(59)
    time.sleep(1.2)
    assert len(receiver.bodies) == 1
    clock.advance(1)
    assert len(set(receiver.wait(2))) == 1
    until(lambda: settled(site, 2))
    first, second = tries(site)
    assert second.due_at - first.due_at == 120_000_000


def test_row_39_a_failure_notice(own_site: Callable[..., Site], receiver: Receiver) -> None:
    site = own_site(faults=Fails())
    report_id = site.ask(webhook=receiver.url)
    [body] = receiver.wait(1)
    assert body.decode() == (
        f'{{"id":{report_id},"status":"failed",'
        '"error":{"code":422,"message":"There was an error generating the report"},'
        '"filter":{"startDate":"2026-10-01","startTime":"00:00:00","endDate":"2026-10-01","endTime":"23:59:59",'
        '"mediaId":[],"playerId":[],"sort":-1}}'
    )


def test_row_40_a_hanging_receiver_delays_nobody(site: Site, receiver: Receiver) -> None:
    site.ask(webhook=receiver.url + "/hang")
    until(lambda: "/hang" in receiver.paths)
    site.ask(webhook=receiver.url + "/quick")
    until(lambda: "/quick" in receiver.paths)
    assert tries(site)[0].state == "sending"
    receiver.released.set()
    until(lambda: settled(site, 2))


def test_a_private_target_is_refused_and_the_report_is_a_success(
    own_site: Callable[..., Site], receiver: Receiver
) -> None:
    site = own_site(outgoing_allow=())
    report_id = site.ask(webhook=receiver.url)
    assert site.ended(report_id)["status"] == "success"
    until(lambda: settled(site, 1))
    first = tries(site)[0]
    assert (first.state, first.status_code) == ("refused", None)
    assert "not a public address" in (first.error or "")
    assert receiver.bodies == []


@pytest.mark.parametrize("status", [302, 307])
def test_redirects_are_not_followed(site: Site, receiver: Receiver, status: int) -> None:
    receiver.answers = [status]
    site.ask(webhook=receiver.url)
    until(lambda: settled(site, 1))
    assert len(receiver.bodies) == 1


def test_redelivery_by_command_sends_the_same_notice(plays: Site, receiver: Receiver) -> None:
    plays.ask(webhook=receiver.url)
    until(lambda: settled(plays, 1))
    deliveries: Any = plays.server.services.deliveries
    again = deliveries.redeliver(tries(plays)[0].id)
    assert len(set(receiver.wait(2))) == 1
    until(lambda: settled(plays, 2))
    assert deliveries.get(again.id).state == "acknowledged"
