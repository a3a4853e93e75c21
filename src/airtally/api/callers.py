"""Who calls an operation, and about which account."""

from __future__ import annotations

from typing import Any, Protocol

from airtally.accounts.access import Access
from airtally.api.authorize import ACCOUNT_HEADER, account_of, authorize
from airtally.api.operation import Operation, OperationCall
from airtally.web.requests import AnyRequest, note_account, note_headers


class Callers(Protocol):
    """A way of telling callers apart."""

    def identified(self, request: AnyRequest, operation: Operation) -> OperationCall[Any, Any]:
        """The call, without its query and body. Raises Failure for a caller who may not make it."""


class KeyHolders:
    """Callers of a server: whoever presents a native key, with what that key or its user may do, and nobody else."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def identified(self, request: AnyRequest, operation: Operation) -> OperationCall[Any, Any]:
        """Counts the call, and notes the headers that say how many are left."""
        permission, access = operation.declared.permission, self._access
        if permission is None:
            return OperationCall(request, None, None, None, None)
        principal = authorize(access.keys, request.headers.get("authorization", ""), permission)
        note_account(request, principal.account.slug)
        allowance = access.call_limit.take(principal.key_id)
        if allowance is not None:
            note_headers(request, allowance.headers())
        named, of_closed = request.headers.get(ACCOUNT_HEADER), operation.declared.of_closed
        account = account_of(principal, named, access.accounts, of_closed=of_closed)
        note_account(request, account.slug)
        return OperationCall(request, principal, None, None, account)
