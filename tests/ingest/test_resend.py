"""Quarantined rows sent again."""

from __future__ import annotations

from pathlib import Path

from airtally.ingest.decode import read_rows
from airtally.runtime import Role, open_services
from airtally.settings import Settings
from airtally.streams import PLAYLOGS

OVER_LINES = b"""[
  {"player_id": 2,
   "media_id": 48,
   "played_at": "2026-10-01T08:00:00",
   "colour": "red"},
  {"player_id": 3, "media_id": 48,
   "played_at": "2026-10-01T08:00:10", "ip": "nowhere"}
]"""


def test_a_row_written_over_several_lines_is_sent_again_as_one_row(tmp_path: Path) -> None:
    services = open_services(Settings(home=tmp_path), role=Role.NONE)
    try:
        account = services.accounts.create("Acme", "acme")
        refused = read_rows(PLAYLOGS, OVER_LINES, "application/json").errors
        services.intake.quarantine.keep(account, "playlogs", refused, source="http")
        first = services.intake.quarantine.entries(account)[0]
        again = services.intake.resend.run(account, first.id)
        assert (again.accepted, again.rejected) == (0, 2)
        kept = services.intake.quarantine.entries(account)[0]
        rows = list(services.intake.quarantine.rows(account, kept.id))
        assert [(row.field, row.error) for row in rows] == [(each.field, each.error) for each in refused]
    finally:
        services.close()
