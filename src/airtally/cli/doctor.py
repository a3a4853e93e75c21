"""`airtally doctor`: checks the set-up and says what to fix."""

from __future__ import annotations

import dataclasses

from airtally.cli.common import Json, command, settings_from_environment
from airtally.cli.output import print_listing
from airtally.doctor.checks import examine
from airtally.doctor.premises import HomePremises
from airtally.kit import logs


@command
def doctor(*, as_json: Json = False) -> None:
    """Check settings, disk, database, lake, engine and files; ends with status 1 if something has to be fixed."""
    logs.configure("critical")  # what goes wrong is what is printed
    findings = list(examine(HomePremises(settings_from_environment())))
    rows = [dataclasses.asdict(finding) for finding in findings]
    print_listing(rows, ("state", "about", "found", "mend"), as_json=as_json)
    if any(finding.mend for finding in findings):
        raise SystemExit(1)
