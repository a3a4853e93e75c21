"""The Slate Datasets API v2 at `/apis/v2/`, for clients that change only their base URL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Response, Router, get
from litestar.di import NamedDependency, Provide
from litestar.params import SkipValidation

from airtally.kit.paging import Listed
from airtally.kit.quality import quality_headers
from airtally.services import Services
from airtally.vendors.slate import downloads, encode, errors, oauth, params
from airtally.vendors.slate.auth import OFFSET_MODE, Caller, admitted, presented
from airtally.vendors.slate.connect import CONNECTION
from airtally.vendors.slate.describe import WIRE
from airtally.vendors.slate.errors import JSON
from airtally.vendors.slate.services import SlateServices, slate_services
from airtally.vendors.slate.window import window
from airtally.vendors.vendor_api import Here, Prefix, VendorApi, refused_options
from airtally.web.requests import AnyRequest

Parts = NamedDependency[SkipValidation[SlateServices]]

_ACCOUNTS = "/accounts"
_GROUPS = "/accounts/{slate_account:str}"
_BUSINESSES = "/accounts/{slate_account:str}/{group:str}"
_DATASETS = "/accounts/{slate_account:str}/{group:str}/{business:str}/datasets"
_FILES = "/accounts/{slate_account:str}/{group:str}/{business:str}/datasets/{dataset:str}"


def routes(services: Services) -> list[Any]:
    """The handlers, for the application to mount."""
    slate = slate_services(services)
    api = Router(
        "/apis/v2",
        route_handlers=[
            refused_options([_ACCOUNTS, _GROUPS, _BUSINESSES, _DATASETS, _FILES]),
            *(list_accounts, list_groups, list_businesses, list_datasets, list_files),
        ],
        dependencies={
            "services": Provide(lambda: services, sync_to_thread=False),
            "slate": Provide(lambda: slate, sync_to_thread=False),
            "account": Provide(admitted, sync_to_thread=True),
        },
    )
    return [api, *oauth.routes(services), *downloads.routes(services)]


@get(_ACCOUNTS, sync_to_thread=True)
def list_accounts(request: AnyRequest, services: Here, slate: Parts, account: Caller) -> Response[bytes]:
    page = _page(request)
    found = slate.catalogue.accounts(account, page.part)
    return _page_response(request, services, page, found.map(encode.named))


@get(_GROUPS, sync_to_thread=True)
def list_groups(request: AnyRequest, services: Here, slate: Parts, account: Caller) -> Response[bytes]:
    page = _page(request)
    found = slate.catalogue.groups(account, page.part, **request.path_params)
    return _page_response(request, services, page, found.map(encode.named))


@get(_BUSINESSES, sync_to_thread=True)
def list_businesses(request: AnyRequest, services: Here, slate: Parts, account: Caller) -> Response[bytes]:
    page = _page(request)
    found = slate.catalogue.businesses(account, page.part, **request.path_params)
    return _page_response(request, services, page, found.map(encode.business))


@get(_DATASETS, sync_to_thread=True)
def list_datasets(request: AnyRequest, services: Here, slate: Parts, account: Caller) -> Response[bytes]:
    page = _page(request)
    found = slate.catalogue.datasets(account, page.part, **request.path_params)
    return _page_response(request, services, page, found.map(encode.named))


@get(_FILES, sync_to_thread=True)
def list_files(request: AnyRequest, services: Here, slate: Parts, account: Caller) -> Response[bytes]:
    page, asked = _page(request), window(request.query_params, services.clock.now_us())
    dataset, files = slate.catalogue.dataset(account, **request.path_params), services.datasets.files
    through = files.data_through(dataset)
    found = files.page(dataset, asked.start_us, asked.end_us, page.part)
    links = slate.links.at(dataset.row_id, services.clock.now_us())
    items = found.map(lambda each: encode.file(each, links.link(each.id)))
    return _page_response(request, services, page, items, filters=asked.filters(), data_through_us=through)


def _page(request: AnyRequest) -> params.PageParams:
    return params.asked(request.query_params, request.scope["state"][OFFSET_MODE])


def _page_response(
    request: AnyRequest,
    services: Services,
    page: params.PageParams,
    found: Listed[encode.Item],
    *,
    filters: Mapping[str, str] | None = None,
    data_through_us: int | None = None,
) -> Response[bytes]:
    following = params.next_url(services.settings.public_url, request.scope["path"], filters or {}, page, found.total)
    body = {"total": found.total, "next": following, "data": found.items}
    headers = quality_headers(data_through_us=data_through_us, generated_at_us=services.clock.now_us(), timezone="UTC")
    return Response(msgspec.json.encode(body), headers=headers, media_type=JSON)


API = VendorApi(
    "slate",
    (Prefix("/apis/v2/", presented), Prefix("/auth/o2/token")),
    routes,
    errors.respond,
    WIRE,
    CONNECTION,
)
