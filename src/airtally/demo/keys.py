"""Creates what an account of the demo needs before its rows: keys of all kinds, a user, a Slate catalogue."""

from __future__ import annotations

import secrets as random

import msgspec

from airtally.accounts.accounts import Account
from airtally.accounts.keys import KeyOptions
from airtally.accounts.kinds import Credentials
from airtally.accounts.permissions import UserRole
from airtally.datasets.dataset import KINDS
from airtally.demo.channels import DemoBusiness
from airtally.services import Services
from airtally.vendors.slate.entries import NewBusiness
from airtally.vendors.slate.services import slate_services

GROUP = "channels"

_OPTIONS = {
    "native": KeyOptions(scopes=frozenset({"read", "write"})),
    "fouryousee": KeyOptions(),
    "slate": KeyOptions(static=True),
    "tapjoy": KeyOptions(),
    "scaleengine": KeyOptions(),
    "pushwoosh": KeyOptions(),
}


class DemoAccess(msgspec.Struct):
    """The credentials that the demo shows. It stores the secrets themselves; a real home stores hashes."""

    username: str = ""
    password: str = ""
    keys: dict[str, Credentials] = {}

    def shown(self, kind: str, field: str) -> str:
        return str(self.keys[kind][field])


def name_user(access: DemoAccess, account: Account) -> None:
    """Choose user name and password. Save them before the user is created: a stored password cannot be read back."""
    if not access.username:
        access.username, access.password = account.slug.split("-")[0], random.token_urlsafe(9)


def give_access(access: DemoAccess, account: Account, services: Services, role: UserRole) -> None:
    """Create the keys and the user, with this role, that do not exist yet."""
    for kind, options in _OPTIONS.items():
        if kind not in access.keys:
            access.keys[kind] = services.access.keys.create(account, kind, options).credentials
    if access.username not in {user.username for user in services.access.users.all(account)}:
        services.access.users.create(
            account,
            username=access.username,
            name=f"{account.name} demo user",
            email=f"{access.username}@example.com",
            password=access.password,
            role=role,
        )


def make_businesses(businesses: tuple[DemoBusiness, ...], account: Account, services: Services) -> None:
    """Create the businesses that rows of the dataset streams refer to, if they do not exist yet."""
    slate = slate_services(services)
    if not slate.catalogue.groups(account).items:
        slate.register.create_group(account, GROUP, "Channels")
    known = {each.id for each in slate.catalogue.businesses(account).items}
    for business in businesses:
        if business.id not in known:
            ids = {kind: dataset_id(business, stream) for stream, kind in KINDS.items()}
            new = NewBusiness(GROUP, business.id, business.name, business.territory, datasets=ids)
            slate.register.create_business(account, new)


def dataset_id(business: DemoBusiness, stream: str) -> str:
    return f"{business.id}-{stream}"
