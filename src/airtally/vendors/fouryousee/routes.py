"""The 4YouSee Manager API at `/v1/`, for clients that change only their base URL."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from litestar import Response, Router, get, post, route
from litestar.di import NamedDependency, Provide
from litestar.enums import HttpMethod
from litestar.params import FromPath, RawBody, SkipValidation

from airtally.accounts.accounts import Account
from airtally.kit.errors import NotFound
from airtally.kit.paging import Page
from airtally.kit.quality import quality_headers
from airtally.reports.report import ReportState
from airtally.services import Services
from airtally.vendors.fouryousee import downloads, encode, errors, lookups
from airtally.vendors.fouryousee.auth import admitted, presented
from airtally.vendors.fouryousee.choices import CHOICES
from airtally.vendors.fouryousee.connect import CONNECTION
from airtally.vendors.fouryousee.describe import WIRE
from airtally.vendors.fouryousee.errors import CORS, PREFLIGHT
from airtally.vendors.fouryousee.notices import report_object, single_report_object
from airtally.vendors.fouryousee.params import read_report_request
from airtally.vendors.vendor_api import Here, Prefix, VendorApi
from airtally.web.requests import AnyRequest

Caller = NamedDependency[SkipValidation[Account]]

_PREFLIGHT_PATHS = [
    "/reports",
    "/reports/{item:str}",
    "/players",
    "/players/{item:str}",
    "/medias",
    "/medias/{item:str}",
    "/medias/categories",
    "/playlists",
    "/playlists/{item:path}",
    "/users",
]


def routes(services: Services) -> list[Any]:
    """The handlers, for the application to mount."""
    api = Router(
        "/v1",
        route_handlers=[
            preflight,  # first: a route of other methods alone is given an OPTIONS of the framework's
            *(list_reports, create_report, get_report),
            *(list_players, get_player, list_medias, get_media, list_categories, list_users, no_playlists),
        ],
        dependencies={
            "services": Provide(lambda: services, sync_to_thread=False),
            "account": Provide(admitted, sync_to_thread=True),
        },
    )
    return [api, *downloads.routes(services)]


@get("/reports", sync_to_thread=True)
def list_reports(request: AnyRequest, services: Here, account: Caller) -> Response[bytes]:
    asked = encode.page_asked(request.query_params)
    found, total = services.reports.page(account, asked, encode.sort_asked(request.query_params))
    objects = [report_object(each, services.reports.url(account, each)) for each in found]
    return _json_response(encode.listing(objects, total, asked))


@post("/reports", status_code=200, sync_to_thread=True, request_max_body_size=CHOICES.body_bytes)
def create_report(services: Here, account: Caller, body: RawBody) -> Response[bytes]:
    report = services.reports.create(account, read_report_request(body))
    return _json_response(report_object(report, None))


@get("/reports/{item:str}", sync_to_thread=True)
def get_report(services: Here, account: Caller, item: FromPath[str]) -> Response[bytes]:
    report = services.reports.get(account, _item_number(item, "Report"))
    headers = {"Retry-After": str(CHOICES.poll_after_seconds)} if report.status == ReportState.WAITING else {}
    if report.data_through is not None:
        headers |= quality_headers(
            data_through_us=report.data_through, generated_at_us=report.updated_at, timezone=account.timezone
        )
    return _json_response(single_report_object(report, services.reports.url(account, report)), headers)


@get("/players", sync_to_thread=True)
def list_players(request: AnyRequest, services: Here, account: Caller) -> Response[bytes]:
    asked = encode.page_asked(request.query_params)
    return _found(lookups.players(services, account, asked), account, asked)


@get("/players/{item:str}", sync_to_thread=True)
def get_player(services: Here, account: Caller, item: FromPath[str]) -> Response[bytes]:
    return _single(lookups.player(services, account, _item_number(item, "Player")), account, f"Player with ID {item}")


@get("/medias", sync_to_thread=True)
def list_medias(request: AnyRequest, services: Here, account: Caller) -> Response[bytes]:
    asked = encode.page_asked(request.query_params)
    return _found(lookups.medias(services, account, asked, request.query_params), account, asked)


@get("/medias/{item:str}", sync_to_thread=True)
def get_media(services: Here, account: Caller, item: FromPath[str]) -> Response[bytes]:
    return _single(lookups.media(services, account, _item_number(item, "Media")), account, f"Media with ID {item}")


@get("/medias/categories", sync_to_thread=True)
def list_categories(request: AnyRequest, services: Here, account: Caller) -> Response[bytes]:
    asked = encode.page_asked(request.query_params)
    return _found(lookups.categories(services, account, asked), account, asked)


@get(["/playlists", "/playlists/{item:path}"])  # Litestar wraps a handler of two paths for a thread twice
async def no_playlists(account: Caller) -> Response[bytes]:  # noqa: ARG001 (the token is looked at first)
    """Clients of the vendor's management side ask for them; proof of play does not need any."""
    raise NotFound(CHOICES.no_playlists)


@get("/users", sync_to_thread=True)
def list_users(request: AnyRequest, services: Here, account: Caller) -> Response[bytes]:
    asked = encode.page_asked(request.query_params)
    users = services.access.users.all(account)
    shown = users[asked.offset : asked.offset + asked.limit]
    return _json_response(encode.listing([encode.user_object(user) for user in shown], len(users), asked))


@route(_PREFLIGHT_PATHS, http_method=HttpMethod.OPTIONS, status_code=204, sync_to_thread=False)
def preflight() -> Response[None]:
    """Browsers ask before they send `Secret-Token`: answered without one, and without a limit."""
    return Response(None, headers=PREFLIGHT)


def _item_number(item: str, what: str) -> int:
    """Raises NotFound with the text as it was sent."""
    if not re.fullmatch(r"[0-9]{1,18}", item):
        raise NotFound(f"{what} with ID {item[:64]} was not found")
    return int(item)


def _found(found: lookups.Found, account: Account, asked: Page) -> Response[bytes]:
    return _json_response(encode.listing(found.objects, found.total, asked), found.headers(account))


def _single(found: lookups.Found, account: Account, what: str) -> Response[bytes]:
    if not found.objects:
        raise NotFound(f"{what} was not found")
    return _json_response(found.objects[0], found.headers(account))


def _json_response(body: object, headers: dict[str, str] | None = None) -> Response[bytes]:
    return Response(msgspec.json.encode(body), headers=CORS | (headers or {}), media_type="application/json")


API = VendorApi(
    "fouryousee",
    (Prefix("/v1/", presented, CHOICES.body_bytes), Prefix("/admin/reports_api.php")),
    routes,
    errors.respond,
    WIRE,
    CONNECTION,
)
