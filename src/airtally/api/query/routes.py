"""`POST /api/v1/query`, and `GET` for links: figures of one stream. What they take and give: docs/reference/query-api.md."""

from __future__ import annotations

import time
from typing import Any

from litestar import Response

from airtally.accounts.accounts import Account
from airtally.accounts.permissions import Permission
from airtally.api.formats import ANSWER_TYPES, MEDIA_TYPES, accepted_format
from airtally.api.operation import NoFields, OperationCall, operation
from airtally.api.query.body import Grain, QueryBody, as_question, read_body, read_link
from airtally.api.query.deferred import can_be_deferred, deferred, prefers_to_wait
from airtally.api.query.formats import written
from airtally.api.query.limits import MAX_BODY
from airtally.api.query.meta import headers_of, meta_of
from airtally.api.query.plan import planned
from airtally.api.query.result import ask_planned
from airtally.kit.errors import LimitExceeded, NotAcceptable, TooLargeAtOnce
from airtally.kit.time import to_datetime
from airtally.query.buckets import Bucket
from airtally.query.refusal import RowsGone
from airtally.services import Services

_GRAINS = {each.bucket: each for each in Grain}


class QueryResource:
    def __init__(self, services: Services) -> None:
        self._services = services

    @operation(
        *("POST", "/query", Permission.READ, "Answer a question"),
        raw=True,
        max_body=MAX_BODY,
        body_schema=QueryBody,
        media_types=ANSWER_TYPES,
        failures=(NotAcceptable, LimitExceeded),
        headers={"Location": "Where the export is found, with status 202."},
        example={"stream": "playlogs", "metrics": ["count"], "range": "last 7 days", "grain": "day"},
    )
    def query(self, call: OperationCall[NoFields, bytes]) -> Response[bytes]:
        """Figures of one stream, grouped and by intervals of time.

        What is too large to answer at once becomes an export: 202, with `Location`. `Prefer: respond-async` asks for one.
        """
        asked, accept = read_body(call.body), _accept_of(call)
        may_wait = can_be_deferred(asked)
        if may_wait and prefers_to_wait(call.request.headers.get("prefer", "")):
            return deferred(self._services, call, asked, accept, preferred=True)
        try:
            return _respond_to(self._services, call.account, asked, accept)
        except TooLargeAtOnce:
            if not may_wait:
                raise
            return deferred(self._services, call, asked, accept)

    @operation(
        *("GET", "/query", Permission.READ, "Answer a question in a link"),
        raw=True,
        query_schema=QueryBody,
        media_types=ANSWER_TYPES,
        failures=(NotAcceptable, LimitExceeded),
    )
    def query_link(self, call: OperationCall[NoFields, bytes]) -> Response[bytes]:
        """The same fields in the query string: lists separated by commas or as JSON, `filter` as JSON."""
        return _respond_to(
            self._services, call.account, read_link(call.request.scope["query_string"]), _accept_of(call)
        )


def _accept_of(call: OperationCall[NoFields, bytes]) -> str:
    return call.request.headers.get("accept", "")


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
