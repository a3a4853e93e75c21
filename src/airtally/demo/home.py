"""The demo's home: two accounts in different time zones with their keys, users and data."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import msgspec

from airtally.accounts.accounts import Account
from airtally.accounts.permissions import UserRole
from airtally.demo.keys import DemoAccess, give_access, make_businesses, name_user
from airtally.demo.world import World, world
from airtally.kit.errors import Failure, NotFound
from airtally.kit.time import to_datetime
from airtally.services import Services
from airtally.streams import STREAMS

MARKER = "demo.json"

#: Called with what is being loaded, about how many rows are done and all of them.
Progress = Callable[[str, int, int], None]


class NotADemo(Failure):
    """The folder given to `airtally demo` holds something that the demo did not make."""

    code = "not_a_demo"


class Tenant(msgspec.Struct):
    """One account of the demo. `filled` names the files that are loaded, `done` the steps of its history."""

    slug: str
    name: str
    timezone: str
    place: str
    seed: int
    rows: int
    players: int | None = None
    access: DemoAccess = msgspec.field(default_factory=DemoAccess)
    filled: list[str] = []
    done: list[str] = []


class Demo(msgspec.Struct):
    """The demo's accounts, stored in `demo.json`. All data depends on `made_at`, so that a stopped load can go on."""

    made_at: int
    days: int
    tenants: list[Tenant]

    @classmethod
    def new(cls, now_us: int, rows: int, days: int) -> Demo:
        small = max(1_000, min(60_000, rows // 20))
        return cls(
            now_us,
            days,
            [
                Tenant("acme-1A2B3C", "Acme Out of Home", "America/Sao_Paulo", "brazil", 1, rows),
                Tenant("himal-media", "Himal Media", "Asia/Kathmandu", "nepal", 2, small, players=8),
            ],
        )

    def world(self, tenant: Tenant, account: Account) -> World:
        """The generators of the tenant's data, which ends when the demo was made."""
        now = to_datetime(self.made_at).astimezone(account.zone).replace(tzinfo=None)
        return world(
            tenant.place, tenant.seed, self.made_at, now, days=self.days, rows=tenant.rows, players=tenant.players
        )

    def last_full_days(self, tenant: Tenant, account: Account, days: int) -> tuple[date, date]:
        """The first and the last of the latest `days` whole days of the tenant's playlogs."""
        last = self.world(tenant, account).playlogs.end_day - timedelta(days=1)
        return last - timedelta(days=days - 1), last

    def save(self, home: Path) -> None:
        path = home / MARKER
        path.touch(mode=0o600)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n")


def open_home(home: Path, now_us: int, rows: int, days: int) -> Demo:
    """The demo in the folder, or a new one in an empty folder. Raises NotADemo for anything else."""
    marker = home / MARKER
    if marker.exists():
        return msgspec.json.decode(marker.read_bytes(), type=Demo)
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise NotADemo(
            f"The folder {home} is not empty and was not made by `airtally demo`",
            hint="Choose another folder with AIRTALLY_HOME; the demo never writes into a home that is in use",
        )
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    demo = Demo.new(now_us, rows, days)
    demo.save(home)
    return demo


def fill(demo: Demo, services: Services, home: Path, progress: Progress) -> None:
    """Create the accounts, keys, users, rows and dataset files that do not exist yet."""
    for tenant in demo.tenants:
        account = _account(tenant, services)
        measured = demo.world(tenant, account)
        name_user(tenant.access, account)
        demo.save(home)
        first = tenant is demo.tenants[0]
        give_access(tenant.access, account, services, UserRole.OPERATOR if first else UserRole.ADMIN)
        make_businesses(measured.setting.businesses, account, services)
        demo.save(home)
        if _load(tenant, account, measured, services, folder=home / "demo-files", progress=progress):
            services.on_demand().run(account)
        demo.save(home)


def _account(tenant: Tenant, services: Services) -> Account:
    try:
        return services.access.accounts.by_slug(tenant.slug)
    except NotFound:
        return services.access.accounts.create(tenant.name, tenant.slug, timezone=tenant.timezone)


def _load(
    tenant: Tenant, account: Account, measured: World, services: Services, *, folder: Path, progress: Progress
) -> bool:
    """Load the tenant's files as `airtally ingest` does, which skips loaded rows. False if all were loaded already."""
    feeds = {f"{number:02}-{feed.stream}": feed for number, feed in enumerate(measured.feeds())}
    left = {name: feed for name, feed in feeds.items() if name not in tenant.filled}
    total = sum(feed.rows for feed in left.values())
    before = 0
    folder.mkdir(exist_ok=True)
    for name, feed in left.items():
        path = folder / f"{tenant.slug}-{name}{feed.ending}"
        progress(tenant.slug, before, total)
        feed.write(path)
        services.intake.files.load(
            STREAMS[feed.stream],
            account,
            path,
            progress=lambda result, done=before: progress(tenant.slug, done + result.accepted, total),  # type: ignore[misc]
        )
        path.unlink()
        before += feed.rows
        tenant.filled.append(name)
    progress(tenant.slug, total, total)
    return bool(left)
