from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select

from airtally.database.tables import dataset_files
from airtally.demo.home import Demo, NotADemo, fill, open_home
from airtally.kit.clock import MovableClock
from airtally.runtime import open_services
from airtally.services import Role, Services
from airtally.settings import Settings
from airtally.streams import STREAMS
from airtally.vendors.slate.services import slate_services

NOW_US = 1_793_800_000_000_000  # 2026-11-04T13:46:40Z


@contextmanager
def opened(home: Path) -> Iterator[Services]:
    services = open_services(Settings(home=home), clock=MovableClock(NOW_US), role=Role.NONE)
    try:
        yield services
    finally:
        services.close()


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    with opened(tmp_path / "home") as services:
        yield services


def test_a_folder_in_use_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "metadata.sqlite").write_bytes(b"precious")
    with pytest.raises(NotADemo, match="not made by"):
        open_home(tmp_path, NOW_US, 1000, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["metadata.sqlite"]


def test_a_demo_is_opened_again_as_it_was_made(tmp_path: Path) -> None:
    made = open_home(tmp_path / "demo", NOW_US, 5_000, 3)
    assert open_home(tmp_path / "demo", NOW_US + 1, 9_999, 9) == made
    assert (tmp_path / "demo" / "demo.json").stat().st_mode & 0o777 == 0o600


def test_two_tenants_are_filled_once_however_often_it_is_asked(tmp_path: Path) -> None:
    home = tmp_path / "home"
    demo = open_home(home, NOW_US, 5_000, 3)
    seen: dict[str, tuple[int, int]] = {}
    held: list[dict[tuple[str, str], int]] = []
    for _ in range(2):
        with opened(home) as services:
            fill(demo, services, home, lambda slug, done, total: seen.update({slug: (done, total)}))
            held.append(rows_held(services, demo))
            for tenant in demo.tenants:
                tenant.filled.clear()  # as if stopped before it was noted
    assert held[0] == held[1]
    assert {stream for _, stream in held[0]} == set(STREAMS)
    with opened(home) as services:
        assert [account.slug for account in services.access.accounts.all()] == ["acme-1A2B3C", "himal-media"]
        assert len(services.access.users.all()) == 2
        assert len(services.access.keys.all()) == 12
        assert [services.intake.quarantine.entries(account) for account in services.access.accounts.all()] == [[], []]
        acme = services.access.accounts.by_slug("acme-1A2B3C")
        listed = slate_services(services).catalogue.businesses(acme).items
        assert [each.id for each in listed] == ["acmekids-de", "acmemax-us"]
    assert seen["acme-1A2B3C"][0] == seen["acme-1A2B3C"][1] > 5_000


def rows_held(services: Services, demo: Demo) -> dict[tuple[str, str], int]:
    """Rows in the lake of each tenant's streams, repeats included."""
    found = {}
    for tenant in demo.tenants:
        for stream in STREAMS.values():
            files = services.storage.event_store.snapshot(stream, tenant.slug, flushed=True)
            if rows := sum(file.rows for file in (*files.compacted, *files.uncompacted)):
                found[tenant.slug, stream.name] = rows
    return found


def test_the_fill_publishes_a_file_of_every_dataset(tmp_path: Path) -> None:
    home = tmp_path / "home"
    demo = open_home(home, NOW_US, 2_000, 2)
    with opened(home) as services:
        fill(demo, services, home, lambda *_: None)
        with services.store.read() as connection:
            files = connection.execute(select(dataset_files.c.dataset_id, dataset_files.c.rows)).all()
    assert len({dataset for dataset, _ in files}) == 9
    assert all(rows > 0 for _, rows in files)


def test_the_data_ends_at_the_moment_the_demo_was_made_on_each_wall_clock(services: Services) -> None:
    demo = Demo.new(NOW_US, 5_000, 3)
    ends = {}
    for tenant in demo.tenants:
        account = services.access.accounts.create(tenant.name, tenant.slug, timezone=tenant.timezone)
        ends[tenant.timezone] = demo.world(tenant, account).playlogs.now
        assert demo.last_full_days(tenant, account, 2) == (date(2026, 11, 2), date(2026, 11, 3))
    assert {zone: str(end) for zone, end in ends.items()} == {
        "America/Sao_Paulo": "2026-11-04 10:46:40",
        "Asia/Kathmandu": "2026-11-04 19:31:40",
    }


def test_the_marker_is_plain_json(tmp_path: Path) -> None:
    open_home(tmp_path / "demo", NOW_US, 5_000, 3)
    assert json.loads((tmp_path / "demo" / "demo.json").read_text())["days"] == 3
