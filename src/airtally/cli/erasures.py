"""What the commands that erase share: doing the work beside a running server, and showing what was done."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Annotated, Any

from cyclopts import Parameter

from airtally.cli.output import moment, print_json, print_listing
from airtally.erasure.records import Erasure, ErasureFinding, ErasureState
from airtally.kit.errors import Unavailable
from airtally.services import Services

Wait = Annotated[float, Parameter(name="--wait", help="Seconds to wait until the rows are in no answer.")]

_FINDINGS = ("store", "part", "found", "erased", "remains", "why")
_LOOK_SECONDS = 0.5


def until_erased(services: Services, asked: Erasure, look: Callable[[], Erasure], wait: float) -> Erasure:
    """Work on it in this process, beside the server's workers. Raises Unavailable after `wait` seconds."""
    services.jobs.release_gone(services.process.is_gone)  # as after such a command was killed
    worker, deadline = services.privacy.worker(), time.monotonic() + wait
    while True:
        worker.run_now(asked.id)
        found = look()
        if found.state in {ErasureState.ERASED, ErasureState.DONE}:
            return found
        if time.monotonic() >= deadline:
            raise Unavailable(
                f"Erasure {found.id} is not done yet: {found.error or found.state}",
                hint="A running server goes on with it; `airtally erase show` tells how far it is",
            )
        time.sleep(_LOOK_SECONDS)


def print_erasure(services: Services, erasure: Erasure, *, as_json: bool) -> None:
    findings = services.privacy.erasures.findings(erasure)
    if as_json:
        print_json(erasure_row(erasure) | {"findings": [asdict(each) for each in findings]})
        return
    print(f"erasure {erasure.id}: {erasure.state}")
    print_findings(findings, as_json=False)


def print_findings(findings: Sequence[ErasureFinding], *, as_json: bool) -> None:
    print_listing([asdict(each) for each in findings], _FINDINGS, as_json=as_json)


def erasure_row(erasure: Erasure) -> dict[str, Any]:
    times = {name: moment(getattr(erasure, name)) for name in ("through", "created_at", "erased_at", "done_at")}
    return asdict(erasure) | times
