"""Quarantined rows once more, after the cause was mended."""

from __future__ import annotations

from dataclasses import dataclass

from airtally.accounts.accounts import Account
from airtally.ingest.admission import Admission
from airtally.ingest.decode import read_rows
from airtally.ingest.loading import Load, Loading
from airtally.ingest.quarantine import Quarantine
from airtally.kit.errors import Conflict
from airtally.streams import STREAMS


@dataclass(frozen=True, slots=True)
class Resent:
    accepted: int
    rejected: int


class Resend:
    """An entry is sent again once; rows that are still wrong become an entry of their own."""

    def __init__(self, *, admission: Admission, loading: Loading, quarantine: Quarantine) -> None:
        self._admission = admission
        self._loading = loading
        self._quarantine = quarantine

    def run(self, account: Account, entry_id: int) -> Resent:
        """Raises NotFound for an entry that is not the account's, Conflict for one that was sent again."""
        entry = self._quarantine.entry(account, entry_id)
        if entry.resent_at is not None:
            raise Conflict(f"Quarantine entry {entry_id} was sent again already")
        stream = STREAMS[entry.stream]
        body = b"\n".join(_on_one_line(row.received) for row in self._quarantine.rows(account, entry_id))
        checked = self._admission.check(stream, account, read_rows(stream, body, "application/x-ndjson"))
        self._loading.append(Load(stream, account, f"resend:{entry_id}", 1, f"resend of {entry_id}"), checked)
        self._quarantine.mark_resent(account, entry_id)
        return Resent(checked.rows.num_rows, len(checked.errors))


def _on_one_line(row: bytes) -> bytes:
    """A row of a JSON array may be written over several lines; inside its texts no line can end."""
    return row.strip().replace(b"\n", b" ").replace(b"\r", b" ")
