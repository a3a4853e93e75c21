"""What people and programs have done in the demo's accounts: by real calls, real workers and real connections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airtally.accounts.accounts import Account
from airtally.background import asked_work
from airtally.demo.history import add_history, is_told
from airtally.demo.home import Demo, fill, open_home
from airtally.demo.partner import ALLOWED, partner
from airtally.kit.clock import SystemClock
from airtally.runtime import open_services
from airtally.services import Role, Services
from airtally.settings import Settings
from fixtures.accounts import QUICK_HASHER
from fixtures.migrated import migrated


@dataclass(frozen=True)
class Told:
    demo: Demo
    services: Services
    home: Path

    @property
    def acme(self) -> Account:
        return self.services.access.accounts.by_slug("acme-1A2B3C")

    def again(self) -> None:
        tell(self.demo, self.services, self.home)


def tell(demo: Demo, services: Services, home: Path) -> None:
    with ExitStack() as stopping:
        for each in asked_work(services):
            each.start()
            stopping.callback(each.stop)
        add_history(demo, services, home, stopping.enter_context(partner()))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    home = tmp_path_factory.mktemp("told") / "home"
    demo = open_home(home, SystemClock().now_us(), 3_000, 4)
    settings = Settings(home=home, outgoing_allow=ALLOWED, fouryousee_retry_seconds=(0.2, 0.2, 0.2))
    services = open_services(migrated(settings), role=Role.NONE, hasher=QUICK_HASHER)
    try:
        fill(demo, services, home, lambda *_: None)
        tell(demo, services, home)
        yield Told(demo, services, home)
    finally:
        services.close()


def test_a_notice_was_taken_and_another_was_tried_in_vain_to_the_last(told: Told) -> None:
    tries = told.services.deliveries.latest(told.acme.id)
    states = Counter((each.report_id, each.state) for each in tries)
    assert sorted(states.values()) == [1, 4]
    [taken] = [each for each in tries if each.state == "acknowledged"]
    refused = [each for each in tries if each.state == "refused"]
    assert taken.status_code == 200
    assert [each.attempt for each in refused] == [4, 3, 2, 1]
    assert all(each.error and "connection" in each.error for each in refused)


def test_reports_exports_and_runs_have_ended_as_they_should(told: Told) -> None:
    services, acme = told.services, told.acme
    assert Counter(each.status for each in services.reports.newest(acme)) == {"success": 3, "cancelled": 1}
    made = services.exports.exports.page(acme)
    assert (len(made), {each.state for each in made}) == (5, {"done"})
    assert all(services.exports.exports.parts(each) for each in made)
    weekly, daily = services.schedules.schedules.page(acme)
    assert (weekly.state, daily.state) == ("paused", "active")
    assert [run.state for run in services.schedules.runs.page(acme, daily.id)] == ["done"] * 3


def test_refused_rows_stand_in_the_quarantine_each_with_its_reason(told: Told) -> None:
    kept = told.services.intake.quarantine
    reasons: set[tuple[str, Any]] = set()
    for entry in kept.entries(told.acme):
        reasons |= {(entry.stream, row.field) for row in kept.rows(told.acme, entry.id)}
    assert {stream for stream, _ in reasons} == {"playlogs", "ad_events", "viewer_samples", "playback"}
    assert {field for stream, field in reasons if stream == "playlogs"} == {"played_at", "media_id", "player_id", "ip"}
    assert len(reasons) >= 9
    [too_old] = [entry for entry in kept.entries(told.acme) if entry.stream == "viewer_samples"]
    assert "older" in too_old.first_error


def test_each_role_has_somebody_and_the_trail_says_who_did_what(told: Told) -> None:
    services, acme = told.services, told.acme
    assert {user.role for user in services.access.users.all(acme)} == {"viewer", "admin", "operator"}
    entries = services.access.audit.entries(acme.id, limit=1000)
    by_person = {each.action for each in entries if (each.actor_kind, each.actor) == ("user", "paula.acme")}
    assert {"user.change", "key.revoke", "alarm.create", "schedule.run", "job.cancel", "webhook.create"} <= by_person


def test_an_alarm_fires_at_its_first_check(told: Told) -> None:
    alarms = told.services.alarms.alarms.listed(told.acme)
    assert Counter(each.state for each in alarms) == {"ok": 3}
    reading = {each.name: told.services.alarms.watch._readings.of(each, SystemClock().now_us()) for each in alarms}
    assert reading["Rows are refused"].true is True


def test_it_is_done_once(told: Told) -> None:
    assert is_told(told.demo)
    before = _counts(told)
    told.again()
    assert _counts(told) == before
    assert all(before)


def _counts(told: Told) -> tuple[int, ...]:
    services, acme = told.services, told.acme
    return (
        len(services.reports.newest(acme)),
        len(services.access.users.all()),
        len(services.access.keys.all(acme)),
        len(services.intake.quarantine.entries(acme)),
        len(services.access.audit.entries(acme.id, limit=1000)),
    )
