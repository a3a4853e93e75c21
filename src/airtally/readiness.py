"""Whether a process can do its work, and what an operator should know: `/readyz`."""

from __future__ import annotations

from collections.abc import Callable

from airtally.datasets.lateness import LATE_US, described
from airtally.kit.disks import check_room, check_write
from airtally.services import Services


def checks(services: Services) -> dict[str, str | None]:
    """What must be well for this process to do its work; None where it is, else what is wrong."""
    storage = services.storage
    return {
        "metadata": _problem(lambda: _check_metadata(services)),
        "buffer": _problem(lambda: _check_buffer(services)) or _damaged_rows(services),
        "lake": _problem(storage.lake.check_folder) or "; ".join(storage.health.problems()) or None,
        "background": _stopped_work(services),
        "home": services.superseded.reason or _problem(lambda: _check_disks(services)),
    }


def remarks(services: Services) -> list[str]:
    """What an operator should know, though this process does its work."""
    publications, now = services.datasets.publisher.publication_store, services.clock.now_us()
    late = [f"publication is late: {described(each)}" for each in publications.late(now - LATE_US)]
    return [*late, *(f"put off: {words}" for words in services.troubles.words())]


def _check_disks(services: Services) -> None:
    for folder in services.settings.local_folders:
        check_room(folder)
    check_write(services.settings.home / "tmp")


def _check_buffer(services: Services) -> None:
    buffer = services.storage.buffer
    if buffer is not None:
        buffer.check_room(0)
        buffer.check_disk()


def _damaged_rows(services: Services) -> str | None:
    """The process goes on taking rows; an operator must see that some may be lost."""
    buffer, event_store = services.storage.buffer, services.storage.event_store
    found = [] if buffer is None else buffer.problems()
    return "; ".join([*found, *event_store.unreadable()]) or None


def _check_metadata(services: Services) -> None:
    with services.store.read() as connection:
        connection.exec_driver_sql("SELECT version_num FROM alembic_version")


def _stopped_work(services: Services) -> str | None:
    stopped = [each.name for each in services.background if not each.alive]
    return f"stopped: {', '.join(stopped)}" if stopped else None


def _problem(check: Callable[[], None]) -> str | None:
    try:
        check()
    except Exception as error:  # noqa: BLE001 (a broken log of a table is as much an answer as a full disk)
        return str(error) or type(error).__name__
    return None
