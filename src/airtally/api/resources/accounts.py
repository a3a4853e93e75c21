"""`/api/v1/accounts`: the tenants. Callers see their own; operators see and create all."""

from __future__ import annotations

from typing import Any

import msgspec

from airtally.accounts.access import HasAccess
from airtally.accounts.accounts import Account
from airtally.accounts.permissions import Permission
from airtally.api.operation import NoFields, OperationCall, PlainCall, operation
from airtally.api.pages import ListingPage, PageQuery, page_of
from airtally.api.times import shown_moment
from airtally.kit.errors import Conflict, NotFound

_EXAMPLE = {"slug": "acme", "name": "Acme", "timezone": "America/Sao_Paulo", "currency": "BRL"}
_SHOWN = {"id": 1} | _EXAMPLE | {"closed_at": None}


class AccountAnswer(msgspec.Struct, frozen=True):
    """`timezone`: IANA name of the zone whose days count. `currency`: code of ISO 4217. `closed_at`: null if it is open."""

    id: int
    slug: str
    name: str
    timezone: str
    currency: str
    closed_at: str | None


class NewAccount(msgspec.Struct, forbid_unknown_fields=True):
    """Without `slug`, one is made of the name."""

    name: str
    slug: str | None = None
    timezone: str = "UTC"
    currency: str = "USD"


class AccountChange(msgspec.Struct, forbid_unknown_fields=True):
    """What is left out stays."""

    name: str | None = None
    timezone: str | None = None
    currency: str | None = None


class AccountResource:
    def __init__(self, services: HasAccess) -> None:
        self._accounts = services.access.accounts
        self._keys = services.access.keys

    @operation(
        *("GET", "/accounts", Permission.READ, "List accounts"),
        answer_example={"items": [_SHOWN], "next": None},
    )
    def list_accounts(self, call: OperationCall[PageQuery, None]) -> ListingPage[AccountAnswer]:
        """The caller's account; for an operator, all of them, oldest first."""
        if not call.may(Permission.OPERATOR):
            return ListingPage([account_answer(call.account)], None)
        found = self._accounts.all(after=call.query.position or 0, limit=call.query.limit + 1)
        return page_of(found, call.query.limit, account_answer, lambda each: each.id)

    @operation(
        *("POST", "/accounts", Permission.OPERATOR, "Create an account"),
        status=201,
        failures=(Conflict,),
        example=_EXAMPLE,
        answer_example=_SHOWN,
    )
    def create_account(self, call: OperationCall[NoFields, NewAccount]) -> AccountAnswer:
        """For operators."""
        asked = call.body
        made = self._accounts.create(asked.name, asked.slug, timezone=asked.timezone, currency=asked.currency)
        return account_answer(made)

    @operation(
        *("GET", "/accounts/{slug}", Permission.READ, "Get an account"),
        failures=(NotFound,),
        answer_example=_SHOWN,
    )
    def get_account(self, call: PlainCall) -> AccountAnswer:
        return account_answer(self._named(call))

    @operation(
        *("PATCH", "/accounts/{slug}", Permission.ADMIN, "Change an account"),
        failures=(NotFound,),
        example={"timezone": "America/Sao_Paulo"},
        answer_example=_SHOWN,
    )
    def change_account(self, call: OperationCall[NoFields, AccountChange]) -> AccountAnswer:
        """A new time zone counts for every answer from then on."""
        changed = self._accounts.change(self._named(call), **msgspec.structs.asdict(call.body))
        self._keys.forget()
        return account_answer(changed)

    def _named(self, call: OperationCall[Any, Any]) -> Account:
        slug = call.text("slug")
        if not call.may(Permission.OPERATOR) and slug != call.account.slug:
            raise NotFound(f"There is no account {slug[:64]!r}")
        return self._accounts.whether_open_or_not(slug)


def account_answer(account: Account) -> AccountAnswer:
    closed_at = shown_moment(account.closed_at)
    return AccountAnswer(account.id, account.slug, account.name, account.timezone, account.currency, closed_at)
