"""`POST /api/v1/slate/…`: creates Slate accounts, groups, businesses and authorization codes.

A call needs a native key with the scope `write`.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from litestar import Response, post
from litestar.params import RawBody

from airtally.accounts.accounts import Account
from airtally.api.authorize import authorize
from airtally.kit.errors import BadRequest
from airtally.kit.time import iso_seconds
from airtally.services import Services
from airtally.vendors.slate import shown
from airtally.vendors.slate.entries import NewBusiness
from airtally.vendors.slate.services import slate_services
from airtally.web.requests import AnyRequest, note_account

T = TypeVar("T")


class NewAccountBody(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    id: str | None = None


class NewGroupBody(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    name: str | None = None
    slate_account: str | None = None


class NewBusinessBody(msgspec.Struct, forbid_unknown_fields=True):
    """`datasets` maps kinds (subscription, playback, catalog) to ids."""

    group: str
    id: str
    name: str
    territory: str | None = None
    slate_account: str | None = None
    datasets: dict[str, str] = msgspec.field(default_factory=dict)
    format: str | None = None


class NewCodeBody(msgspec.Struct, forbid_unknown_fields=True):
    client_id: str
    redirect_uri: str


def routes(services: Services) -> list[Any]:
    slate = slate_services(services)

    def writer(request: AnyRequest) -> Account:
        account = authorize(services.access.keys, request.headers.get("authorization", ""), "write").account
        note_account(request, account.slug)
        return account

    @post("/api/v1/slate/accounts", sync_to_thread=True)
    def create_account(request: AnyRequest, body: RawBody) -> Response[Any]:
        account, asked = writer(request), _decode_body(body, NewAccountBody)
        return _made(shown.account(slate.register.create_account(account, asked.name, asked.id)))

    @post("/api/v1/slate/groups", sync_to_thread=True)
    def create_group(request: AnyRequest, body: RawBody) -> Response[Any]:
        account, asked = writer(request), _decode_body(body, NewGroupBody)
        made = slate.register.create_group(account, asked.id, asked.name, asked.slate_account)
        return _made(shown.group(made))

    @post("/api/v1/slate/businesses", sync_to_thread=True)
    def create_business(request: AnyRequest, body: RawBody) -> Response[Any]:
        account, asked = writer(request), _decode_body(body, NewBusinessBody)
        made, datasets = slate.register.create_business(account, NewBusiness(**msgspec.structs.asdict(asked)))
        return _made(shown.business(made, datasets))

    @post("/api/v1/slate/codes", sync_to_thread=True)
    def create_code(request: AnyRequest, body: RawBody) -> Response[Any]:
        account, asked = writer(request), _decode_body(body, NewCodeBody)
        made = slate.grants.create_code(account, asked.client_id, asked.redirect_uri)
        return _made({"code": made.code, "expires": iso_seconds(made.expires_at)})

    return [create_account, create_group, create_business, create_code]


def _decode_body(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"The body cannot be read: {error}") from None


def _made(shown_as: dict[str, Any]) -> Response[Any]:
    return Response(shown_as, status_code=201, headers={"Cache-Control": "no-store"})
