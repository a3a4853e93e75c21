"""What the commands that erase share: waiting until it is done, and showing what was done."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from cyclopts import Parameter

from airtally.cli.output import print_json, print_listing, to_second
from airtally.cli.server import ApiServer
from airtally.cli.waiting import LOOK_SECONDS
from airtally.kit.errors import Unavailable

Wait = Annotated[float, Parameter(name="--wait", help="Seconds to wait until the rows are in no answer.")]

_FINDINGS = ("store", "part", "found", "erased", "remains", "why")
_TIMES = ("through", "created_at", "erased_at", "done_at")


def until_erased(api: ApiServer, erasure: int, path: str, wait: float) -> dict[str, Any]:
    """The erasure, which `path` shows, once it is done. Raises Unavailable after `wait` seconds."""
    deadline = time.monotonic() + wait
    while True:
        api.erase_now(erasure)
        found: dict[str, Any] = api.get(path)
        if found["state"] in {"erased", "done"}:
            return found
        if time.monotonic() >= deadline:
            raise Unavailable(
                f"Erasure {found['id']} is not done yet: {found['error'] or found['state']}",
                hint="A running server goes on with it; `airtally erase show` tells how far it is",
            )
        time.sleep(LOOK_SECONDS)


def print_erasure(erasure: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(erasure_row(erasure))
        return
    print(f"erasure {erasure['id']}: {erasure['state']}")
    print_findings(erasure["findings"], as_json=False)


def print_findings(findings: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    print_listing(findings, _FINDINGS, as_json=as_json)


def erasure_row(erasure: Mapping[str, Any]) -> dict[str, Any]:
    return dict(erasure) | {name: to_second(erasure[name]) for name in _TIMES}
