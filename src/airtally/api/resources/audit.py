"""`/api/v1/audit`: who made, changed or revoked what, and when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from airtally.accounts.access import HasAccess
from airtally.accounts.audit import AuditEntry
from airtally.accounts.permissions import Permission
from airtally.api.operation import OperationCall, operation
from airtally.api.pages import ListingPage, PageQuery, page_of
from airtally.api.times import shown_moment
from airtally.kit.errors import Forbidden


class AuditQuery(PageQuery):
    """`everywhere`: of all accounts, for operators."""

    everywhere: bool = False


class AuditAnswer(msgspec.Struct, frozen=True):
    """`actor_kind`: key (then `actor` is its number), user, command (of the machine's user `actor`) or server."""

    id: int
    at: str
    actor_kind: str
    actor: str
    address: str
    action: str
    target: str
    details: Mapping[str, Any]


class AuditResource:
    def __init__(self, services: HasAccess) -> None:
        self._audit = services.access.audit

    @operation("GET", "/audit", Permission.ADMIN, "List the audit trail", failures=(Forbidden,))
    def list_audit_entries(self, call: OperationCall[AuditQuery, None]) -> ListingPage[AuditAnswer]:
        """Newest first. Entries are kept for AIRTALLY_AUDIT_DAYS."""
        query = call.query
        if query.everywhere and not call.may(Permission.OPERATOR):
            raise Forbidden("Only operators see the entries of all accounts")
        account_id = None if query.everywhere else call.account.id
        found = self._audit.entries(account_id, before=query.position, limit=query.limit + 1)
        return page_of(found, query.limit, _audit_answer, lambda each: each.id)


def _audit_answer(entry: AuditEntry) -> AuditAnswer:
    return AuditAnswer(
        id=entry.id,
        at=shown_moment(entry.at),
        actor_kind=entry.actor_kind,
        actor=entry.actor,
        address=entry.address,
        action=entry.action,
        target=entry.target,
        details=entry.details,
    )
