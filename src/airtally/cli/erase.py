"""`airtally erase`: what is known of a person, found and erased."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

from cyclopts import App, Parameter

from airtally.background import erasure_worker_of
from airtally.cli.common import AccountSlug, Json, command
from airtally.cli.output import moment, print_json, print_listing
from airtally.cli.services import opened_services
from airtally.erasure.person import person_of
from airtally.erasure.records import Erasure, ErasureFinding, ErasureState
from airtally.kit import logs
from airtally.kit.errors import Unavailable
from airtally.services import Role, Services

app = App(name="erase", help="Find and erase what is known of a person.")

Hwids = Annotated[list[str] | None, Parameter(name="--hwid", help="A device of the person.", negative=())]
UserIds = Annotated[list[str] | None, Parameter(name="--user-id", help="A user id.", negative=())]
Cids = Annotated[list[str] | None, Parameter(name="--cid", help="A customer id of dataset rows.", negative=())]
Emails = Annotated[list[str] | None, Parameter(name="--email", help="An address, in any case.", negative=())]
Preview = Annotated[bool, Parameter(help="Count what would be found, and change nothing.", negative=())]
Wait = Annotated[float, Parameter(name="--wait", help="Seconds to wait until the rows are in no answer.")]

_FINDINGS = ("store", "part", "found", "erased", "remains", "why")
_LISTED = ("id", "state", "requested_by", "created_at", "through", "erased_at", "done_at", "waiting_for", "error")
_LOOK_SECONDS = 0.5


@app.default
@command
def erase(
    *,
    account: AccountSlug,
    hwid: Hwids = None,
    user_id: UserIds = None,
    cid: Cids = None,
    email: Emails = None,
    preview: Preview = False,
    wait: Wait = 600.0,
    as_json: Json = False,
) -> None:
    """Erase every row that names the person, and the devices whose record does; prints what was found and what stays."""
    logs.configure("warning")
    person = person_of({"hwid": hwid or [], "user_id": user_id or [], "cid": cid or [], "email": email or []})
    with opened_services(Role.NONE if preview else Role.ROWS) as services:
        owner = services.access.accounts.by_slug(account)
        if preview:
            _print_findings(services.privacy.preview.count(owner, person), as_json=as_json)
            return
        asked = services.privacy.erasures.request(owner, person)
        done = _until_erased(services, asked, lambda: services.privacy.erasures.get(owner, asked.id), wait)
        _print_erasure(services, done, as_json=as_json)


@app.command(name="list")
@command
def list_(*, account: AccountSlug, as_json: Json = False) -> None:
    """Show the account's erasures, newest first."""
    with opened_services(Role.NONE) as services:
        found = services.privacy.erasures.page(services.access.accounts.by_slug(account))
    print_listing([_row(each) for each in found], _LISTED, as_json=as_json)


@app.command
@command
def show(erasure: int, *, account: AccountSlug, as_json: Json = False) -> None:
    """Show what an erasure found, erased and left."""
    with opened_services(Role.NONE) as services:
        owner = services.access.accounts.by_slug(account)
        _print_erasure(services, services.privacy.erasures.get(owner, erasure), as_json=as_json)


def _until_erased(services: Services, asked: Erasure, look: Any, wait: float) -> Erasure:
    """Work on it in this process, beside the server's workers. Raises Unavailable after `wait` seconds."""
    worker, deadline = erasure_worker_of(services), time.monotonic() + wait
    while True:
        worker.run_now(asked.id)
        found: Erasure = look()
        if found.state in {ErasureState.ERASED, ErasureState.DONE}:
            return found
        if time.monotonic() >= deadline:
            raise Unavailable(
                f"Erasure {found.id} is not done yet: {found.error or found.state}",
                hint="A running server goes on with it; `airtally erase show` tells how far it is",
            )
        time.sleep(_LOOK_SECONDS)


def _print_erasure(services: Services, erasure: Erasure, *, as_json: bool) -> None:
    findings = services.privacy.erasures.findings(erasure)
    if as_json:
        print_json(_row(erasure) | {"findings": [asdict(each) for each in findings]})
        return
    print(f"erasure {erasure.id}: {erasure.state}")
    _print_findings(findings, as_json=False)


def _print_findings(findings: Sequence[ErasureFinding], *, as_json: bool) -> None:
    print_listing([asdict(each) for each in findings], _FINDINGS, as_json=as_json)


def _row(erasure: Erasure) -> dict[str, Any]:
    times = {name: moment(getattr(erasure, name)) for name in ("through", "created_at", "erased_at", "done_at")}
    return asdict(erasure) | times
