"""The home that is fuzzed: two accounts with keys of every kind, users, a Slate catalogue, and rows in every stream.

Rows of the dataset streams lie in the lake and are published; all others come in when the server runs.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

from airtally.accounts.accounts import Account
from airtally.accounts.keys import KeyOptions
from airtally.datasets.dataset import KINDS
from airtally.runtime import open_services
from airtally.services import Role, Services
from airtally.settings import Settings
from airtally.streams import STREAMS
from airtally.streams.declaration import Stream
from airtally.vendors.slate.entries import NewBusiness
from airtally.vendors.slate.services import slate_services
from fuzz.chance import Chance
from fuzz.rows import row
from fuzz.tenants import TENANTS, Tenant

GROUP = "channels"
_OPTIONS = {
    "native": KeyOptions(scopes=frozenset({"read", "write"})),
    "slate": KeyOptions(static=True),
}


def make(home: Path, database: str, today: date) -> None:
    """Without a server; `database` is as in AIRTALLY_DATABASE, empty for SQLite in the home."""
    services = open_services(
        Settings(home=home, database=database, secret_key="the fuzzer's own key, of 32 letters and more"),
        role=Role.NONE,
    )
    try:
        for tenant in TENANTS.values():
            account = services.access.accounts.create(tenant.slug, tenant.slug, timezone=tenant.zone)
            _let_in(services, account, tenant)
            _publish(services, account, tenant, today, home)
    finally:
        services.close()


def _let_in(services: Services, account: Account, tenant: Tenant) -> None:
    for kind, credentials in tenant.keys.items():
        services.access.keys.create(account, kind, _OPTIONS.get(kind, KeyOptions()), imported=credentials)
    name, password = tenant.slug, tenant.password
    services.access.users.create(account, username=name, name=name, email=f"{name}@example.com", password=password)


def _publish(services: Services, account: Account, tenant: Tenant, today: date, home: Path) -> None:
    slate_services(services).register.create_account(account, f"{tenant.mark} Pictures", tenant.slate_account)
    slate_services(services).register.create_group(account, GROUP, f"{tenant.mark} Channels", tenant.slate_account)
    formats = ("csv", "csv.gz")
    for business, file_format in zip(tenant.businesses, formats, strict=True):
        ids = {kind: tenant.dataset(business, kind) for kind in KINDS.values()}
        new = NewBusiness(GROUP, business, f"{tenant.mark} TV", "US", tenant.slate_account, ids, file_format)
        slate_services(services).register.create_business(account, new)
    for name in KINDS:
        path = home / f"{name}.ndjson"
        path.write_bytes(batch(tenant, STREAMS[name], today))
        services.intake.files.load(STREAMS[name], account, path)
        path.unlink()
    services.on_demand().run(account)


def batch(tenant: Tenant, stream: Stream, today: date) -> bytes:
    """The rows that the account has in a stream from the start, as NDJSON."""
    chance = Chance("home", tenant.letter, stream.name)
    rows = [row(chance, tenant, stream, today) for _ in range(tenant.rows)]
    if stream.name in {"ad_groups", "applications", "players", "medias", "viewer_apps"}:
        column = stream.key[0]
        ids = {
            "ad_group_id": tenant.groups,
            "application": tenant.applications,
            "player_id": tenant.players,
            "media_id": tenant.medias,
            "app": tenant.apps,
        }[column]
        rows = [each | {column: name} for each, name in zip(rows, ids, strict=False)]
    return b"".join(json.dumps(each).encode() + b"\n" for each in rows)


#: In this order: applications and ad groups belong to whoever declares them, before rows name them.
SENT = ("applications", "ad_groups", *(name for name in STREAMS if name not in {*KINDS, "applications", "ad_groups"}))
