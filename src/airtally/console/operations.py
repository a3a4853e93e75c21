"""Calls operations of the native API for a page, in this process: the same checks and the same audit trail."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import msgspec
from litestar import Request, Response
from litestar.utils.scope.state import CONNECTION_STATE_KEY

from airtally.accounts.acting import acting
from airtally.api.authorize import allowed
from airtally.api.operation import JSON, Operation, OperationCall, OperationReply
from airtally.connect.checklist import DeclaringCall
from airtally.console.visits import Visit
from airtally.kit.errors import BadRequest, NotFound
from airtally.web.requests import AnyRequest, client_address


class ConsoleOperations:
    """Operations by their id, as `list_keys`: the names in docs/reference/operations.md's declarations."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self._operations = {each.id: each for each in operations}

    def call(
        self,
        visit: Visit,
        operation_id: str,
        *,
        path: Mapping[str, object] | None = None,
        query: Mapping[str, object] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        """What the operation answers, as the structure that it declares. Fields that are None are left out.

        Raises the operation's failures, and BadRequest for fields that it does not take.
        """
        operation = self._operations[operation_id]
        call = self._called(visit, operation, _request(visit, operation, path), b"")
        read = _converted(_given(query), operation.query)
        sent = None if operation.body is None else _converted(_given(body), operation.body)
        with acting(_actor(visit)):
            answered = operation.handler(replace(call, query=read, body=sent))
        return answered.body if isinstance(answered, OperationReply) else answered

    def made(self, visit: Visit, call: DeclaringCall) -> Any:
        """A call as it stands in documents, by method and path. Raises NotFound for what is no operation, as `call`."""
        for operation_id, each in self._operations.items():
            pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", each.path)
            found = re.fullmatch(pattern, call.path) if each.declared.method == call.method else None
            if found is not None:
                path = {name: unquote(value) for name, value in found.groupdict().items()}
                return self.call(visit, operation_id, path=path, body=call.body)
        raise NotFound(f"There is no operation {call.method} {call.path[:128]}")

    def raw(
        self,
        visit: Visit,
        operation_id: str,
        *,
        path: Mapping[str, object] | None = None,
        body: bytes = b"",
        query_string: bytes = b"",
        accept: str = JSON,
    ) -> Response[Any]:
        """The response of an operation that reads its body and query string itself, as `/query`."""
        operation = self._operations[operation_id]
        headers = [(b"accept", accept.encode()), (b"content-type", b"application/json")]
        request = _request(visit, operation, path, headers=headers, query_string=query_string)
        with acting(_actor(visit)):
            answered: Response[Any] = operation.handler(self._called(visit, operation, request, body))
        return answered

    @staticmethod
    def _called(visit: Visit, operation: Operation, request: AnyRequest, body: bytes) -> OperationCall[Any, Any]:
        permission = operation.declared.permission
        if permission is not None:
            allowed(visit.principal, permission)
        return OperationCall(request, visit.principal, None, body, visit.account)


def _request(visit: Visit, operation: Operation, path: Mapping[str, object] | None, **scope: Any) -> AnyRequest:
    """The page's request with other values; the framework keeps the headers that it has read in the `state`."""
    parameters = {name: str(value) for name, value in (path or {}).items()}
    state = {name: value for name, value in visit.request.scope["state"].items() if name != CONNECTION_STATE_KEY}
    changed = {
        **visit.request.scope,
        "state": state,
        "method": operation.declared.method,
        "path_params": parameters,
        **scope,
    }
    return Request(changed)  # type: ignore[arg-type]  # a scope of the server's, with other values


def _actor(visit: Visit) -> Any:
    return replace(visit.principal.actor, address=client_address(visit.request))


def _given(fields: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (fields or {}).items() if value is not None}


def _converted(fields: Mapping[str, Any], kind: Any) -> Any:
    """As read from JSON; texts of forms become numbers and booleans where the operation takes these."""
    try:
        return msgspec.json.decode(msgspec.json.encode(fields), type=kind, strict=False)
    except msgspec.ValidationError as error:
        raise BadRequest(f"The form cannot be used: {error}") from error
