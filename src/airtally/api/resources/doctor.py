"""`/api/v1/doctor`: checks of the server that answers, with what to do. For operators."""

from __future__ import annotations

import msgspec

from airtally.accounts.permissions import Permission
from airtally.api.operation import PlainCall, operation
from airtally.doctor.doctor import Doctor
from airtally.doctor.finding import CheckState, Finding
from airtally.doctor.premises import ServerPremises
from airtally.services import Services

_WELL = {"about": "engine", "state": "ok", "found": "duckdb", "mend": None}
_LOW = {
    "about": "home",
    "state": "warning",
    "found": "/srv/airtally, 1.4 GiB free",
    "mend": "free disk space: below 2 GiB",
}


class DoctorAnswer(msgspec.Struct, frozen=True):
    """`state`: the worst of `items`. Each says what it is `about`, what was `found`, and how to `mend` it."""

    state: CheckState
    items: list[Finding]


class DoctorResource:
    def __init__(self, services: Services) -> None:
        self._doctor = Doctor(ServerPremises(services))

    @operation(
        *("GET", "/doctor", Permission.OPERATOR, "Check the server"),
        answer_example={"state": "warning", "items": [_LOW, _WELL]},
    )
    def get_doctor(self, call: PlainCall) -> DoctorAnswer:  # noqa: ARG002 (the same for all)
        """What `airtally doctor` checks, of the process that answers.

        A check that takes over 10 seconds is an error.
        """
        findings = self._doctor.findings()
        return DoctorAnswer(max((each.state for each in findings), key=list(CheckState).index), findings)
