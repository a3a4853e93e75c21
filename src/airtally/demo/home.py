"""The demo's home: two accounts in different zones, their keys and users, and their made-up networks."""

from __future__ import annotations

import secrets as random
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import msgspec

from airtally.accounts.accounts import Account
from airtally.accounts.keys import KeyOptions
from airtally.demo.playlogs import Playlogs
from airtally.demo.venues import BRAZIL, NEPAL, Place
from airtally.kit.errors import Failure, NotFound
from airtally.kit.time import to_datetime
from airtally.runtime import Services
from airtally.streams import STREAMS

MARKER = "demo.json"

#: Called with what is being loaded, the playlogs done and all of them.
Progress = Callable[[str, int, int], None]


class NotADemo(Failure):
    """The folder holds something that the demo did not make."""

    code = "not_a_demo"


class Tenant(msgspec.Struct):
    """One account of the demo. The demo keeps the secrets it shows; a real home keeps only their hashes."""

    slug: str
    name: str
    timezone: str
    place: str
    seed: int
    rows: int
    players: int | None = None
    username: str = ""
    password: str = ""
    native_token: str = ""
    secret_token: str = ""
    loaded: bool = False


class Demo(msgspec.Struct):
    """What a demo's home is, kept in its `demo.json`. `made_at` fixes the data: a stopped load goes on."""

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

    def playlogs(self, tenant: Tenant, account: Account) -> Playlogs:
        """The tenant's network up to the moment the demo was made, on its own wall clock."""
        now = to_datetime(self.made_at).astimezone(account.zone).replace(tzinfo=None)
        place: Place = {"brazil": BRAZIL, "nepal": NEPAL}[tenant.place]
        return Playlogs(
            seed=tenant.seed,
            days=self.days,
            end_day=now.date(),
            players=tenant.players,
            rows=tenant.rows,
            now=now,
            place=place,
        )

    def last_full_days(self, tenant: Tenant, account: Account, days: int) -> tuple[date, date]:
        """First and last of the last whole days that the tenant's playlogs cover."""
        last = self.playlogs(tenant, account).end_day - timedelta(days=1)
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
            f"{home} is not empty and was not made by `airtally demo`",
            hint="Choose another folder with AIRTALLY_HOME; the demo never writes into a home that is in use",
        )
    home.mkdir(parents=True, exist_ok=True)
    demo = Demo.new(now_us, rows, days)
    demo.save(home)
    return demo


def fill(demo: Demo, services: Services, home: Path, progress: Progress) -> None:
    """Accounts, keys, users and rows, as far as they are not there yet. A second call does nothing."""
    for tenant in demo.tenants:
        account = _account(tenant, services)
        _give_keys(tenant, account, services)
        demo.save(home)
        if not tenant.loaded:
            _load(demo, tenant, account, services, folder=home / "demo-files", progress=progress)
            tenant.loaded = True
            demo.save(home)


def _account(tenant: Tenant, services: Services) -> Account:
    try:
        return services.accounts.by_slug(tenant.slug)
    except NotFound:
        return services.accounts.create(tenant.name, tenant.slug, timezone=tenant.timezone)


def _give_keys(tenant: Tenant, account: Account, services: Services) -> None:
    if not tenant.native_token:
        made = services.keys.create(account, "native", KeyOptions(scopes=frozenset({"read", "write"})))
        tenant.native_token = str(made.credentials["token"])
    if not tenant.secret_token:
        tenant.secret_token = str(services.keys.create(account, "fouryousee").credentials["secret_token"])
    if not tenant.username:
        tenant.username, tenant.password = tenant.slug.split("-")[0], random.token_urlsafe(9)
        services.users.create(
            account,
            username=tenant.username,
            name=f"{tenant.name} demo user",
            email=f"{tenant.username}@example.com",
            password=tenant.password,
        )


def _load(
    demo: Demo, tenant: Tenant, account: Account, services: Services, *, folder: Path, progress: Progress
) -> None:
    """Through the way every file takes, so that what is loaded already is not loaded again."""
    playlogs = demo.playlogs(tenant, account)
    network = playlogs.network
    folder.mkdir(exist_ok=True)
    rows = {"players": network.player_rows(demo.made_at), "medias": network.media_rows()}
    for stream, found in rows.items():
        path = folder / f"{tenant.slug}-{stream}.ndjson"
        path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in found))
        services.intake.files.load(STREAMS[stream], account, path)
    path = folder / f"{tenant.slug}-playlogs.ndjson"
    progress(tenant.slug, 0, playlogs.total)
    playlogs.write(path)
    services.intake.files.load(
        STREAMS["playlogs"],
        account,
        path,
        progress=lambda result: progress(tenant.slug, result.accepted, playlogs.total),
    )
    for file in folder.glob(f"{tenant.slug}-*.ndjson"):
        file.unlink()
