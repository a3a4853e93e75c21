"""Tells accounts that an export has ended, if a caller asked for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from airtally.accounts.accounts import account_within
from airtally.exports.export import Export, ExportState
from airtally.kit.time import iso_seconds
from airtally.webhooks.event_types import EXPORT_DONE, EXPORT_FAILED
from airtally.webhooks.messages import Messages

_TYPES = {ExportState.DONE: EXPORT_DONE, ExportState.FAILED: EXPORT_FAILED}


class ExportNotices:
    """Schedules tell of their own exports. Nobody is told of one that was cancelled: somebody wanted that."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages

    def note(self, connection: Connection, export: Export) -> None:
        """One of `ExportEndings.within`: adds the message in the transaction that ends the export."""
        event_type = _TYPES.get(export.state)
        if event_type is not None and export.is_asked_for:
            account = account_within(connection, export.account_id)
            self._messages.enqueue(connection, account, event_type, _payload(export), f"export/{export.id}")


def _payload(export: Export) -> Mapping[str, Any]:
    """Without links, which expire: the listing of the export's parts has them."""
    about: dict[str, Any] = {"id": export.id, "state": export.state, "format": export.spec.format}
    about |= {"requested_by": export.requested_by, "error": export.error}
    about |= {"parts": export.parts, "rows": export.rows, "bytes": export.bytes}
    for name in ("data_through", "expires_at"):
        moment: int | None = getattr(export, name)
        about[name] = None if moment is None else iso_seconds(moment)
    return {"export": about}
