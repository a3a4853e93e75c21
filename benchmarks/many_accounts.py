"""A thousand small accounts: what keeping their rollups current costs, beside one account with the same rows."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airtally.accounts.accounts import Account
from airtally.background import rebuilder_of
from airtally.engine.child_process import InProcess
from airtally.ingest.service import Batch
from airtally.rollups.rebuild import EAGER
from airtally.runtime import open_services
from airtally.services import Engines, Role, Services
from airtally.settings import Settings
from airtally.streams import AD_EVENTS
from benchmarks.harness import Aim, Place, Result

#: As the background does it: a changed day becomes a day file beside its month.
_BACKGROUND = replace(EAGER, day_files=31, merge_seconds=1e9)
_DAYS = 20
_FULL_ROWS = 100


@dataclass(frozen=True)
class RollupCosts:
    """Seconds of processor time: the first months, one changed day of each account, and the merge of it."""

    first: float
    day: float
    merge: float


def many_accounts(place: Place) -> Result:
    accounts, rows = place.size(1000, 40), place.size(_FULL_ROWS, 20)
    many = _costs(place.home("many_accounts").folder, accounts, rows)
    one = _costs(place.home("one_account").folder, 1, accounts * rows)
    ratios = {
        "first months": many.first / one.first,
        "one changed day of each account": many.day / one.day,
        "merge": many.merge / one.merge,
    }
    return Result(
        name="many_accounts",
        title=f"Rollups of {accounts:,} accounts of {rows} ad events each: processor time, beside one with all of them",
        parameters={"accounts": accounts, "rows_each": rows, "days": _DAYS},
        figures={
            "first months, CPU s": many.first,
            "one changed day of each, CPU s": many.day,
            "the same for each account, CPU ms": 1000 * many.day / accounts,
            "merge of the months, CPU s": many.merge,
        },
        reference={
            "one account, first months, CPU s": one.first,
            "one account, changed day, CPU s": one.day,
            "one account, merge, CPU s": one.merge,
        },
        ratio=ratios["first months"],
        aims=[Aim(f"{what}, times one account", ratio, 10, at_most=True) for what, ratio in ratios.items()],
        notes=["heavy work in the same process, so that its processor time is all there is"],
    )


def _costs(folder: Path, accounts: int, rows: int) -> RollupCosts:
    with opened(folder) as services:
        made = fill(services, accounts, rows)
        first = _rebuilt(services)
        late = max(1, rows // _DAYS) if accounts == 1 else 1
        for account in made:
            send(services, account, late, "late", day=_DAYS - 1)
        services.storage.event_store.flush()
        day = _rebuilt(services, merge=False)
        return RollupCosts(first, day, _rebuilt(services))


def _rebuilt(services: Services, *, merge: bool = True) -> float:
    table, rebuilder = services.storage.lake.table(AD_EVENTS), rebuilder_of(services)
    begun = time.process_time()
    done = sum(rebuilder.rebuild(table, each, EAGER if merge else _BACKGROUND) for each in AD_EVENTS.rollups)
    if not done:
        raise RuntimeError("no rollup was built")
    return time.process_time() - begun


@contextmanager
def opened(folder: Path) -> Iterator[Services]:
    """The home's parts without background work; heavy work is done in this process."""
    with closing(open_services(Settings(home=folder), role=Role.SERVE)) as services:
        services.engines.heavy.close()
        services.engines = Engines(services.engines.engine, InProcess())
        yield services


def fill(services: Services, accounts: int, rows: int) -> list[Account]:
    """New accounts with so many ad events each, on the last days, in the lake."""
    made = [services.access.accounts.create(f"Shop {number}", f"shop-{number}") for number in range(accounts)]
    for account in made:
        send(services, account, rows, "first")
    services.storage.event_store.flush()
    return made


def send(services: Services, account: Account, rows: int, mark: str, *, day: int | None = None) -> None:
    """Rows spread over the days, or of one of them."""
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=_DAYS + 1)
    events = (
        {
            "ad_group_id": f"g{number % 7}",
            "kind": "paid_click",
            "id": f"{mark}-{number}",
            "country": ("BR", "DE", "US")[number % 3],
            "time": (start + timedelta(days=number % _DAYS if day is None else day, minutes=number % 1440)).isoformat(),
        }
        for number in range(rows)
    )
    body = "\n".join(json.dumps(event) for event in events).encode()
    batches = services.intake.batches
    if (
        batches is None
        or json.loads(batches.accept(Batch(AD_EVENTS, account, body, "application/x-ndjson")))["rejected"]
    ):
        raise RuntimeError("rows were refused")
