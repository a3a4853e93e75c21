"""`airtally doctor`: checks the set-up and says what to fix."""

from __future__ import annotations

import dataclasses
from typing import Any

from airtally.cli.common import Json, command, settings_from_environment
from airtally.cli.output import print_listing
from airtally.cli.remote import is_remote
from airtally.cli.server import server
from airtally.doctor.checks import examine
from airtally.doctor.premises import HomePremises
from airtally.kit import logs


@command
def doctor(*, as_json: Json = False) -> None:
    """Check settings, disk, database, lake, engine and files; ends with status 1 if something has to be fixed."""
    rows = _checked_elsewhere() if is_remote() else _checked_here()
    print_listing(rows, ("state", "about", "found", "mend"), as_json=as_json)
    if any(row["mend"] for row in rows):
        raise SystemExit(1)


def _checked_here() -> list[dict[str, Any]]:
    """Also where no server could start."""
    logs.configure("critical")  # what goes wrong is what is printed
    return [dataclasses.asdict(finding) for finding in examine(HomePremises(settings_from_environment()))]


def _checked_elsewhere() -> list[dict[str, Any]]:
    with server() as api:
        return list(api.get("/doctor")["items"])
