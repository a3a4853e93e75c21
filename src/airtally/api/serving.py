"""Makes routes of declared operations: caller, limits, fields, repeated requests and the answer's form stand here."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any

import msgspec
from litestar import Response, Router
from litestar.handlers import HTTPRouteHandler
from litestar.params import RawBody

from airtally.accounts.acting import SERVER, acting
from airtally.accounts.request_keys import KeptAnswer, RequestClaim
from airtally.api.authorize import ACCOUNT_HEADER, account_of, authorize
from airtally.api.operation import JSON, Operation, OperationCall, OperationReply
from airtally.api.reading import read_fields, read_json
from airtally.kit.errors import Failure
from airtally.services import Services
from airtally.web.requests import AnyRequest, client_address, note_account


def routes_of(operations: Iterable[Operation], services: Services) -> list[Router]:
    """One router for each path: Litestar wraps a threaded handler twice if another comes later for its path."""
    by_path = groupby(sorted(operations, key=lambda each: each.path), key=lambda each: each.path)
    return [
        Router(re.sub(r"\{(\w+)\}", r"{\1:str}", path), route_handlers=[_handler(each, services) for each in group])
        for path, group in by_path
    ]


def _handler(operation: Operation, services: Services) -> HTTPRouteHandler:
    served = ServedOperation(operation, services)

    def with_body(request: AnyRequest, body: RawBody) -> Response[Any]:
        return served.answer(request, body)

    def without_body(request: AnyRequest) -> Response[Any]:
        return served.answer(request, b"")

    declared = operation.declared
    takes_body = (operation.body is not None or declared.raw) and declared.method != "GET"
    route = HTTPRouteHandler(
        "/",
        http_method=declared.method,
        status_code=200,  # each answer sets its own; Litestar refuses bodies for a route that says 204
        sync_to_thread=True,
        name=operation.id,
        request_max_body_size=declared.max_body,
    )
    return route(with_body if takes_body else without_body)


class ServedOperation:
    """Answers calls of one operation. Blocks: it runs in a worker thread."""

    def __init__(self, operation: Operation, services: Services) -> None:
        self._operation = operation
        self._access = services.access

    def answer(self, request: AnyRequest, body: bytes) -> Response[Any]:
        """Raises Failure, which the application writes as a problem."""
        call, headers = self._identified(request)
        actor = SERVER if call.principal is None else call.principal.actor
        with acting(replace(actor, address=client_address(request))):
            answer = self._repeated(call, body) if self._wants_key(request) else self._answered(call, body)
        for name, value in headers.items():
            answer.set_header(name, value)
        return answer if self._operation.declared.raw else _unless_known(request, answer)

    def _identified(self, request: AnyRequest) -> tuple[OperationCall[Any, Any], Mapping[str, str]]:
        """The caller and the account, once the call is allowed and counted; and the headers that say what is left."""
        permission, access = self._operation.declared.permission, self._access
        if permission is None:
            return OperationCall(request, None, None, None, None), {}
        principal = authorize(access.keys, request.headers.get("authorization", ""), permission)
        note_account(request, principal.account.slug)
        account = account_of(principal, request.headers.get(ACCOUNT_HEADER), access.accounts)
        note_account(request, account.slug)
        allowance = access.call_limit.take(principal.key_id)
        return OperationCall(request, principal, None, None, account), {} if allowance is None else allowance.headers()

    def _answered(self, call: OperationCall[Any, Any], body: bytes) -> Response[Any]:
        operation = self._operation
        if operation.declared.raw:
            return _as_response(operation, operation.handler(replace(call, body=body)))
        query = read_fields(call.request.scope["query_string"], operation.query)
        read = None if operation.body is None else read_json(body, operation.body)
        return _as_response(operation, operation.handler(replace(call, query=query, body=read)))

    def _wants_key(self, request: AnyRequest) -> bool:
        return self._operation.takes_key and "idempotency-key" in request.headers

    def _repeated(self, call: OperationCall[Any, Any], body: bytes) -> Response[Any]:
        """The answer to a request with an `Idempotency-Key`: that of the first one with the key, if there was one."""
        scope = call.request.scope
        named = b"\0".join([scope["method"].encode(), scope["path"].encode(), scope["query_string"], body])
        account_id = 0 if call.chosen is None else call.chosen.id
        keys = self._access.request_keys
        claim = keys.take(account_id, call.request.headers["idempotency-key"], named)
        if isinstance(claim, KeptAnswer):
            headers = claim.headers | {"Idempotency-Replayed": "true"}
            return Response(claim.body.encode(), status_code=claim.status, media_type=JSON, headers=headers)
        return self._first(call, body, claim)

    def _first(self, call: OperationCall[Any, Any], body: bytes, claim: RequestClaim) -> Response[Any]:
        keys = self._access.request_keys
        try:
            answer = self._answered(call, body)
        except Failure:
            keys.give_up(claim)  # what is refused, or failed with its transaction, has changed nothing
            raise
        content = answer.content.decode() if isinstance(answer.content, bytes) else ""
        keys.keep(
            claim, KeptAnswer(answer.status_code or self._operation.declared.status, content, dict(answer.headers))
        )
        return answer


def _as_response(operation: Operation, answered: Any) -> Response[Any]:
    if isinstance(answered, Response):
        return answered
    reply = answered if isinstance(answered, OperationReply) else OperationReply(answered)
    headers = {"Cache-Control": "no-store"} | dict(reply.headers)
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
    answer.set_header("Cache-Control", "private, no-cache")
    known = request.headers.get("if-none-match", "")
    if tag in {each.strip().removeprefix("W/") for each in known.split(",")} or known.strip() == "*":
        kept = {name: value for name, value in answer.headers.items() if name.lower() != "content-type"}
        return Response(b"", status_code=304, headers=kept)
    return answer
