"""The checks and remarks that `/readyz` shows."""

from __future__ import annotations

from collections.abc import Callable

from airtally.datasets.lateness import LATE_US, described
from airtally.kit.disks import check_room, check_write
from airtally.services import Services


def checks(services: Services) -> dict[str, str | None]:
    """Each check by its name, with the problem or None. With any problem the process is not ready."""
    storage = services.storage
    return {
        "metadata": _problem(lambda: _check_metadata(services)),
        "buffer": _problem(lambda: _check_buffer(services)) or _damaged_rows(services),
        "lake": _problem(storage.lake.check_folder) or "; ".join(storage.health.problems()) or None,
        "background": _stopped_work(services),
        **({} if services.crew is None else {"workers": "; ".join(services.crew.troubles()) or None}),
        "home": services.superseded.reason or _problem(lambda: _check_disks(services)),
    }


def remarks(services: Services) -> list[str]:
    """What an operator should know although the process is ready."""
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
    """Damaged buffers. The process still takes rows, but is not ready: an operator must see that rows may be lost."""
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
    except Exception as error:  # noqa: BLE001 (whatever a check raises is a problem to report)
        return str(error) or type(error).__name__
    return None
