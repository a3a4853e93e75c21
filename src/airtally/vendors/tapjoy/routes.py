"""The Tapjoy insights API at `/v1/oauth2/` and `/v1/ad_groups`, for clients that change only their base URL."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from litestar import Response, Router, get, post
from litestar.di import Provide
from litestar.params import FromPath
from litestar.response import Stream

from airtally.kit.quality import quality_headers
from airtally.query.answers import WrittenAnswer
from airtally.services import Services
from airtally.sql.case import folded
from airtally.streams import AD_GROUPS
from airtally.vendors.tapjoy import auth, encode, errors, legacy, query
from airtally.vendors.tapjoy.choices import CHOICES
from airtally.vendors.tapjoy.connect import CONNECTION
from airtally.vendors.tapjoy.describe import WIRE
from airtally.vendors.tapjoy.errors import JSON, LEGACY_PATH, TOKEN_PATH
from airtally.vendors.tapjoy.groups import find_group
from airtally.vendors.tapjoy.params import InsightsParams, read_params
from airtally.vendors.tapjoy.series import insights
from airtally.vendors.vendor_api import Here, Prefix, VendorApi, refused_options
from airtally.web.packing import answer_of
from airtally.web.requests import AnyRequest, note_account

INSIGHTS_PATH = "/v1/ad_groups/{ad_group_id:str}/insights"


def routes(services: Services) -> list[Any]:
    """The handlers, for the application to mount."""
    here = Provide(lambda: services, sync_to_thread=False)
    handlers = [
        refused_options([TOKEN_PATH, INSIGHTS_PATH, LEGACY_PATH]),
        *(issue_token, get_insights, get_legacy_report),
    ]
    return [Router("/", route_handlers=handlers, dependencies={"services": here})]


@post(TOKEN_PATH, status_code=200, sync_to_thread=True)
def issue_token(request: AnyRequest, services: Here) -> Response[bytes]:
    """Query string, body and every other header are ignored, and the body is not waited for."""
    principal = auth.key_holder(services.access.keys, request.headers.get("authorization"))
    note_account(request, principal.account.slug)
    token = auth.issue_token(services.access.keys, principal)
    return Response(encode.token_body(token), headers={"Cache-Control": "no-store"}, media_type=JSON)


@get(INSIGHTS_PATH, sync_to_thread=True)
def get_insights(request: AnyRequest, services: Here, ad_group_id: FromPath[str]) -> Response[Any]:
    """Checks the token first, then the group, then the parameters."""
    account = auth.token_holder(services.access.keys, request.headers.get("authorization")).account
    note_account(request, account.slug)
    group = find_group(services, account, ad_group_id)
    now_us = services.clock.now_us()
    asked = read_params(request.scope["query_string"], now_us).until(now_us)
    link = None if group.secondary_id is None else encode.link_to(services.settings.public_url, group.secondary_id)
    found, quality = _insights(services, account.slug, folded(ad_group_id), asked)
    if isinstance(found, WrittenAnswer):
        body = encode.insights_body(ad_group_id, group.row, link, (found,))
        return answer_of(request.headers.get("accept-encoding", ""), body, quality, JSON)
    pieces = encode.insights_body(ad_group_id, group.row, link, found)
    if asked.by_country and len(asked.stamps) > CHOICES.streamed_buckets:
        return Stream(pieces, headers=quality, media_type=JSON)  # years of hours by country are not held in memory
    return Response(b"".join(pieces), headers=quality, media_type=JSON)


@get(LEGACY_PATH, sync_to_thread=True)
def get_legacy_report(request: AnyRequest, services: Here) -> Response[bytes]:
    """Checks the credentials first, then the parameters."""
    account = legacy.report_holder(services.access.keys, request.query_params).account
    note_account(request, account.slug)
    now_us = services.clock.now_us()
    asked = legacy.read_day(request.query_params, now_us)
    answer = services.queries.answer(legacy.question(account.slug, asked, now_us))
    body = legacy.report_body(services.queries.known(AD_GROUPS, account.slug).table, answer, asked)
    return Response(body, headers=_quality(answer.data_through_us, answer.generated_at_us), media_type=JSON)


def _insights(
    services: Services, account: str, ad_group_id: str, asked: InsightsParams
) -> tuple[WrittenAnswer | Iterable[bytes], dict[str, str]]:
    """The body whole or in pieces, and its quality headers. If no bucket has begun yet, no row is read."""
    if not asked.stamps:
        now_us = services.clock.now_us()
        return insights(query.NOTHING, asked), _quality(now_us, now_us)
    question = query.question(account, ad_group_id, asked)
    if asked.by_country and len(asked.stamps) > CHOICES.streamed_buckets:
        answer = services.queries.answer(question)
        return insights(answer.table, asked), _quality(answer.data_through_us, answer.generated_at_us)
    found = services.queries.written(question, ("tapjoy", asked), lambda table: insights(table, asked))
    return found, _quality(found.data_through_us, found.generated_at_us)


def _quality(data_through_us: int, generated_at_us: int) -> dict[str, str]:
    return quality_headers(data_through_us=data_through_us, generated_at_us=generated_at_us, timezone="UTC")


API = VendorApi(
    "tapjoy",
    (Prefix("/v1/oauth2/"), Prefix("/v1/ad_groups", auth.presented), Prefix(errors.LEGACY_PATH)),
    routes,
    errors.respond,
    WIRE,
    CONNECTION,
)
