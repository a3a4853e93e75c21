"""`/api/v1/slate`: Slate accounts, groups, businesses and authorization codes."""

from __future__ import annotations

from typing import Any

import msgspec

from airtally.accounts.permissions import Permission
from airtally.api.operation import NoFields, OperationCall, operation
from airtally.kit.errors import Conflict, NotFound
from airtally.kit.time import iso_seconds
from airtally.services import Services
from airtally.vendors.slate import shown
from airtally.vendors.slate.entries import NewBusiness
from airtally.vendors.slate.services import slate_services


class NewSlateAccount(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    id: str | None = None


class NewSlateGroup(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    name: str | None = None
    slate_account: str | None = None


class NewSlateBusiness(msgspec.Struct, forbid_unknown_fields=True):
    """`datasets` maps kinds (subscription, playback, catalog) to ids."""

    group: str
    id: str
    name: str
    territory: str | None = None
    slate_account: str | None = None
    datasets: dict[str, str] = msgspec.field(default_factory=dict)
    format: str | None = None


class NewSlateCode(msgspec.Struct, forbid_unknown_fields=True):
    client_id: str
    redirect_uri: str


class SlateCodeAnswer(msgspec.Struct, frozen=True):
    """`expires`: when it stops working, UTC."""

    code: str
    expires: str


class SlateResource:
    def __init__(self, services: Services) -> None:
        self._slate = slate_services(services)

    @operation("POST", "/slate/accounts", Permission.ADMIN, "Create a Slate account", status=201, failures=(Conflict,))
    def create_slate_account(self, call: OperationCall[NoFields, NewSlateAccount]) -> dict[str, Any]:
        """An account of Airtally owns one Slate account or several; a Slate key sees them all."""
        return shown.account(self._slate.register.create_account(call.account, call.body.name, call.body.id))

    @operation(
        *("POST", "/slate/groups", Permission.ADMIN, "Create a Slate group"),
        status=201,
        failures=(Conflict, NotFound),
    )
    def create_slate_group(self, call: OperationCall[NoFields, NewSlateGroup]) -> dict[str, Any]:
        """Without `slate_account`, in the account's only one."""
        asked = call.body
        made = self._slate.register.create_group(call.account, asked.id, asked.name, asked.slate_account)
        return shown.group(made)

    @operation(
        *("POST", "/slate/businesses", Permission.ADMIN, "Create a Slate business with its datasets"),
        status=201,
        failures=(Conflict, NotFound),
    )
    def create_slate_business(self, call: OperationCall[NoFields, NewSlateBusiness]) -> dict[str, Any]:
        """An unknown `group` is created with its id as name."""
        asked = NewBusiness(**msgspec.structs.asdict(call.body))
        made, datasets = self._slate.register.create_business(call.account, asked)
        return shown.business(made, datasets)

    @operation(
        *("POST", "/slate/codes", Permission.ADMIN, "Create an authorization code"),
        status=201,
        failures=(NotFound,),
    )
    def create_slate_code(self, call: OperationCall[NoFields, NewSlateCode]) -> SlateCodeAnswer:
        """One that works once, for five minutes."""
        made = self._slate.grants.create_code(call.account, call.body.client_id, call.body.redirect_uri)
        return SlateCodeAnswer(made.code, iso_seconds(made.expires_at))
