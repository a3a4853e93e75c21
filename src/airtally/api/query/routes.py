"""`POST /api/v1/query`, and `GET` for links: figures of one stream. What they take and give: docs/reference/query-api.md."""

from __future__ import annotations

import time
from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import RawBody

from airtally.accounts.accounts import Account
from airtally.api.authorize import authorize
from airtally.api.formats import MEDIA_TYPES, accepted_format
from airtally.api.query.body import Grain, QueryBody, as_question, read_body, read_link
from airtally.api.query.formats import written
from airtally.api.query.limits import MAX_BODY
from airtally.api.query.meta import headers_of, meta_of
from airtally.api.query.plan import planned
from airtally.api.query.result import ask_planned
from airtally.kit.time import to_datetime
from airtally.query.buckets import Bucket
from airtally.query.refusal import RowsGone
from airtally.services import Services
from airtally.web.requests import note_account

_GRAINS = {each.bucket: each for each in Grain}


def routes(services: Services) -> list[Any]:
    @post(status_code=200, sync_to_thread=True, request_max_body_size=MAX_BODY)
    def query(request: Request[Any, Any, Any], body: RawBody) -> Response[bytes]:
        account = _reader(services, request)
        return _respond_to(services, account, read_body(body), request.headers.get("accept", ""))

    @get(sync_to_thread=True)
    def query_link(request: Request[Any, Any, Any]) -> Response[bytes]:
        account = _reader(services, request)
        return _respond_to(
            services, account, read_link(request.scope["query_string"]), request.headers.get("accept", "")
        )

    # one router: an application that gets handlers of one path one by one makes the first asynchronous twice
    return [Router("/api/v1/query", route_handlers=[query, query_link])]


def _reader(services: Services, request: Request[Any, Any, Any]) -> Account:
    account = authorize(services.access.keys, request.headers.get("authorization", ""), "read").account
    note_account(request, account.slug)
    return account


def _respond_to(services: Services, account: Account, asked: QueryBody, accept: str) -> Response[bytes]:
    started = time.perf_counter()
    form = accepted_format(accept) if asked.format is None else asked.format
    plan = planned(asked, account, services.clock.now_us())
    try:
        result = ask_planned(plan, services.queries.answer)
    except RowsGone as gone:
        gone.details = _instead(asked, gone)
        raise
    meta = meta_of(result, 1000 * (time.perf_counter() - started))
    body = written(result, form, meta)
    return Response(body, media_type=MEDIA_TYPES[form][0], headers=headers_of(result, meta))


def _instead(asked: QueryBody, gone: RowsGone) -> dict[str, Any]:
    """The nearest questions that can be answered, ready to send; `question` is the first."""
    questions = [
        as_question(
            asked,
            {
                "range": None,
                "cursor": None,
                "start": None if each.start_us is None else to_datetime(each.start_us).isoformat(),
                "end": None if each.end_us is None else to_datetime(each.end_us).isoformat(),
                "timezone": str(each.zone),
                "grain": _GRAINS.get(each.bucket)
                if asked.grain is not None and isinstance(each.bucket, Bucket)
                else None,
                "bucket": Bucket.NONE if asked.grain is not None else each.bucket,
            },
        )
        for each in gone.instead
    ]
    return {"question": questions[0], "questions": questions} if questions else {}
