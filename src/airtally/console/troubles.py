"""What of an account's standing needs somebody, in words, and where it is mended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from airtally.console.formats import number
from airtally.console.visits import Visit

#: Field of the standing, page, and the words for one and for more.
_TROUBLES = (
    ("alarms_firing", "/alarms", "alarm is firing", "alarms are firing"),
    ("jobs_failed", "/jobs?state=failed", "job failed in the last 7 days", "jobs failed in the last 7 days"),
    ("deliveries_failing", "/deliveries", "message does not arrive", "messages do not arrive"),
    ("webhooks_disabled", "/webhooks", "webhook was disabled, as nothing arrived", "webhooks were disabled"),
    ("notices_failing", "/reports#notices", "report's notice did not arrive", "reports' notices did not arrive"),
    ("publications_late", "/datasets", "dataset is late", "datasets are late"),
    ("rows_refused", "/quarantine", "row was refused in the last 7 days", "rows were refused in the last 7 days"),
)


@dataclass(frozen=True, slots=True)
class Trouble:
    """`words` for a person, and the path of the page that explains it."""

    words: str
    href: str


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure that leads to the page that explains it. `state`: bad, warn, or nothing to worry about."""

    label: str
    value: str
    href: str
    detail: str = ""
    state: str = ""


def troubles_of(visit: Visit, standing: Any, silent: Iterable[str]) -> list[Trouble]:
    """The worst first."""
    counts = [(getattr(standing, field), page, one, more) for field, page, one, more in _TROUBLES]
    found = [
        Trouble(f"{number(count)} {one if count == 1 else more}", visit.path(page))
        for count, page, one, more in counts
        if count
    ]
    return found + [Trouble(f"No row of {name} has come for a day", visit.path(f"/streams/{name}")) for name in silent]


def standing_tiles(visit: Visit, standing: Any) -> Sequence[Tile]:
    failing = standing.deliveries_failing + standing.notices_failing
    where = "/deliveries" if standing.deliveries_failing or not standing.notices_failing else "/reports#notices"
    jobs = f"{number(standing.jobs_waiting)} waiting"
    return (
        Tile(
            "Rows refused",
            number(standing.rows_refused),
            visit.path("/quarantine"),
            "7 days",
            _warn(standing.rows_refused),
        ),
        Tile("Jobs running", number(standing.jobs_running), visit.path("/jobs"), jobs),
        Tile(
            "Jobs failed",
            number(standing.jobs_failed),
            visit.path("/jobs?state=failed"),
            "7 days",
            _bad(standing.jobs_failed),
        ),
        Tile("Failing deliveries", number(failing), visit.path(where), "now", _bad(failing)),
        Tile(
            "Alarms firing", number(standing.alarms_firing), visit.path("/alarms"), "now", _bad(standing.alarms_firing)
        ),
        Tile(
            *("Files published", number(standing.publications), visit.path("/datasets"), "7 days"),
            _bad(standing.publications_late),
        ),
    )


def trouble_count(standing: Any) -> int:
    """How much of an account needs somebody, to sort by: a refused row weighs as much as all of them."""
    counts: list[int] = [getattr(standing, field) for field, *_ in _TROUBLES if field != "rows_refused"]
    return sum(counts) + (1 if standing.rows_refused else 0)


def _bad(count: int) -> str:
    return "bad" if count else ""


def _warn(count: int) -> str:
    return "warn" if count else ""
