"""Makes routes of declared operations: caller, limits, fields, repeated requests and the answer's form stand here."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby
from typing import Any

import msgspec
from litestar import Response, Router
from litestar.handlers import HTTPRouteHandler
from litestar.params import RawBody

from airtally.accounts.access import HasAccess
from airtally.accounts.acting import SERVER, acting
from airtally.api.callers import Callers, KeyHolders
from airtally.api.operation import JSON, Operation, OperationCall, OperationReply
from airtally.api.reading import check_encoding, check_media_type, read_fields, read_json
from airtally.api.repeating import HEADER, RepeatedRequests
from airtally.kit.http import METHODS, is_known
from airtally.web.requests import AnyRequest, client_address, noted_headers

#: `Cache-Control` of what an operation answers, unless it says something else.
NOT_KEPT = "no-store"


def routes_of(operations: Iterable[Operation], services: HasAccess, callers: Callers | None = None) -> list[Router]:
    """One router for each path: Litestar wraps a threaded handler twice if another comes later for its path.

    Callers show a native key. Only the command line, which serves nobody else, passes other `callers`.
    """
    known = callers or KeyHolders(services.access)
    by_path = groupby(sorted(operations, key=lambda each: each.path), key=lambda each: each.path)
    return [
        Router(
            re.sub(r"\{(\w+)\}", r"{\1:str}", path), route_handlers=[_handler(each, services, known) for each in group]
        )
        for path, group in by_path
    ]


def _handler(operation: Operation, services: HasAccess, callers: Callers) -> HTTPRouteHandler:
    served = ServedOperation(operation, services, callers)

    def with_body(request: AnyRequest, body: RawBody) -> Response[Any]:
        return served.answer(request, body)

    def without_body(request: AnyRequest) -> Response[Any]:
        return served.answer(request, b"")

    declared = operation.declared
    route = HTTPRouteHandler(
        "/",
        http_method=METHODS if declared.method == "GET" else declared.method,
        status_code=200,  # each answer sets its own; Litestar refuses bodies for a route that says 204
        sync_to_thread=True,
        name=operation.id,
        request_max_body_size=declared.max_body,
    )
    return route(with_body if operation.takes_body else without_body)


class ServedOperation:
    """Answers calls of one operation. Blocks: it runs in a worker thread."""

    def __init__(self, operation: Operation, services: HasAccess, callers: Callers) -> None:
        self._operation = operation
        self._callers = callers
        self._repeated = RepeatedRequests(services.access.request_keys)

    def answer(self, request: AnyRequest, body: bytes) -> Response[Any]:
        """Raises Failure, which the application writes as a problem."""
        call = self._callers.identified(request, self._operation)
        actor = SERVER if call.principal is None else call.principal.actor
        with acting(replace(actor, address=client_address(request))):
            answer = self._once(call, body) if self._wants_key(request) else self._answered(call, body)
        for name, value in noted_headers(request).items():
            answer.set_header(name, value)
        return answer if self._operation.declared.raw else _unless_known(request, answer)

    def _answered(self, call: OperationCall[Any, Any], body: bytes) -> Response[Any]:
        operation, headers = self._operation, call.request.headers
        if operation.takes_body:
            check_media_type(headers.get("content-type", ""), operation.declared.body_types)
            check_encoding(headers.get("content-encoding", ""))
        if operation.declared.raw:
            return _as_response(operation, operation.handler(replace(call, body=body)))
        query = read_fields(call.request.scope["query_string"], operation.query)
        read = None if operation.body is None else read_json(body, operation.body)
        return _as_response(operation, operation.handler(replace(call, query=query, body=read)))

    def _wants_key(self, request: AnyRequest) -> bool:
        return self._operation.takes_key and HEADER in request.headers

    def _once(self, call: OperationCall[Any, Any], body: bytes) -> Response[Any]:
        return self._repeated.answer(call, body, lambda: self._answered(call, body))


def _as_response(operation: Operation, answered: Any) -> Response[Any]:
    if isinstance(answered, Response):
        return answered
    reply = answered if isinstance(answered, OperationReply) else OperationReply(answered)
    headers = {"Cache-Control": NOT_KEPT} | dict(reply.headers)
    if reply.body is None:
        return Response(b"", status_code=reply.status or 204, headers=headers)
    content = msgspec.json.encode(reply.body)
    return Response(content, status_code=reply.status or operation.declared.status, media_type=JSON, headers=headers)


def _unless_known(request: AnyRequest, answer: Response[Any]) -> Response[Any]:
    """Gives a JSON answer to GET its `ETag`, and 304 to a caller that has it already."""
    if request.method not in {"GET", "HEAD"} or not isinstance(answer.content, bytes) or answer.status_code != 200:
        return answer
    tag = f'"{hashlib.blake2b(answer.content, digest_size=16).hexdigest()}"'
    answer.set_header("ETag", tag)
    if answer.headers.get("Cache-Control") == NOT_KEPT:
        answer.set_header("Cache-Control", "private, no-cache")  # kept by the caller, and asked for again each time
    if is_known(request.headers.get("if-none-match", ""), tag):
        kept = {name: value for name, value in answer.headers.items() if name.lower() != "content-type"}
        return Response(b"", status_code=304, headers=kept)
    return answer
