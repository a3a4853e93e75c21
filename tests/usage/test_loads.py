"""Rows that files bring, counted once each: loads that are cut off between their commit and its count."""

from __future__ import annotations

from datetime import date

import pytest

from airtally.kit.clock import MovableClock
from airtally.kit.faults import Faults
from airtally.kit.time import DAY_US, SECOND_US
from airtally.runtime import open_services
from airtally.services import Role
from airtally.settings import Settings
from airtally.streams import PLAYLOGS
from airtally.usage.figures import FILES
from airtally.usage.reading import UsageGrain, UsageInterval
from fixtures.accounts import NOW_US
from fixtures.killed import Killed

EVER = UsageInterval(date(2026, 1, 1), date(2030, 1, 1))


class CutOff(Faults):
    """Ends the run at a point whenever it is set."""

    at = None

    def reach(self, point):
        if point == self.at:
            raise Killed


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Services, their clock and faults."""
    clock, faults = MovableClock(NOW_US), CutOff()
    settings = Settings(home=tmp_path_factory.mktemp("loads") / "home")
    services = open_services(settings, clock=clock, faults=faults, role=Role.NONE)
    yield services, clock, faults
    services.close()


def play(number):
    return b'{"player_id": 1, "media_id": %d, "played_at": "2026-10-01T08:00:00"}\n' % number


def counted(services, account):
    found = services.usage.reader.of(account.id, EVER, UsageGrain.DAY)
    assert {each.kind for each in found} <= {FILES}
    return [(each.figures.rows_accepted, each.figures.rows_refused, each.figures.bytes_in) for each in found]


def test_a_load_that_was_cut_off_after_its_commit_counts_once(home, tmp_path):
    services, _, faults = home
    account = services.access.accounts.create("Cut", "cut")
    path = tmp_path / "plays.ndjson"
    path.write_bytes(first := play(1) + b'{"player_id": "x"}\n' + play(2))
    faults.at = "usage.count"
    with pytest.raises(Killed):
        services.intake.files.load(PLAYLOGS, account, path)
    faults.at = None
    assert counted(services, account) == []
    path.write_bytes(whole := first + play(3))
    assert services.intake.files.load(PLAYLOGS, account, path).accepted == 1
    assert counted(services, account) == [(3, 1, len(whole))]
    services.intake.files.load(PLAYLOGS, account, path)
    assert counted(services, account) == [(3, 1, len(whole))]


def test_a_load_that_was_cut_off_before_its_commit_counts_once(home, tmp_path):
    services, _, faults = home
    account = services.access.accounts.create("Before", "before")
    path = tmp_path / "plays.ndjson"
    path.write_bytes(play(1) + play(2))
    faults.at = "lake.flush"
    with pytest.raises(Killed):
        services.intake.files.load(PLAYLOGS, account, path)
    faults.at = None
    path.write_bytes(whole := play(1) + play(2) + play(3))
    services.intake.files.load(PLAYLOGS, account, path)
    assert counted(services, account) == [(3, 0, len(whole))]


@pytest.mark.parametrize(("point", "right"), [("usage.count", [(1, 0, len(play(7)))]), ("lake.flush", [])])
def test_what_nobody_loads_again_is_settled_a_day_later(home, tmp_path, point, right):
    services, clock, faults = home
    account = services.access.accounts.create("Left", f"left-{len(right)}")
    path = tmp_path / "plays.ndjson"
    path.write_bytes(play(7))
    faults.at = point
    with pytest.raises(Killed):
        services.intake.files.load(PLAYLOGS, account, path)
    faults.at = None
    services.usage.loads.settle()
    assert counted(services, account) == []
    clock.advance(DAY_US / SECOND_US + 1)
    services.usage.loads.settle()
    services.usage.loads.settle()
    assert counted(services, account) == right


def test_a_file_of_wrong_rows_alone_counts_them_once(home, tmp_path):
    services, _, _ = home
    account = services.access.accounts.create("Wrong", "wrong")
    path = tmp_path / "plays.ndjson"
    path.write_bytes(b"{}\n{}\n")
    services.intake.files.load(PLAYLOGS, account, path)
    services.intake.files.load(PLAYLOGS, account, path)
    assert counted(services, account) == [(0, 2, 6)]
    [entry] = services.intake.quarantine.entries(account)
    services.intake.resend.run(account, entry.id)
    assert counted(services, account) == [(0, 2, 6)]
