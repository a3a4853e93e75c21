"""`airtally serve` and `airtally worker`.

The parent of several workers loads none of what they serve: it would hold that memory for nothing.
"""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from airtally.cli.common import command, settings_from_environment
from airtally.cli.listening import Listening, check_certificate, listen
from airtally.kit import logs
from airtally.kit.errors import BadRequest
from airtally.settings import Settings

#: Each takes memory of its own, and slots of the home's marks, of which there are 128.
MOST_WORKERS = 64


@command
def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    workers: Annotated[int, Parameter(help="processes that answer on the port; one is enough for most")] = 1,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    log_level: Annotated[str, Parameter(help="debug, info, warning or error")] = "info",
) -> None:
    """Serve every API, the pages and the jobs from one process, or from several; port 0 takes a free one."""
    logs.configure(log_level)
    if not 1 <= workers <= MOST_WORKERS:
        raise BadRequest(f"--workers is a number from 1 to {MOST_WORKERS}", hint="One for each core at most")
    settings = settings_from_environment()
    check_certificate(tls_cert, tls_key)
    with listen(host, port, tls=tls_cert is not None) as listening:
        if workers > 1:
            _serve_with_workers(listening, settings, workers, (tls_cert, tls_key), log_level)
        else:
            from airtally.cli.serving import serve_on  # noqa: PLC0415 (not loaded by the parent of workers)

            serve_on(listening, settings, tls_cert=tls_cert, tls_key=tls_key)


def _serve_with_workers(
    listening: Listening, settings: Settings, count: int, tls: tuple[Path | None, Path | None], log_level: str
) -> None:
    from airtally.cli.worker_processes import run_workers  # noqa: PLC0415 (asyncio, which others do not need)

    run_workers(listening, settings, count, tls=tls, log_level=log_level)


@command
def worker(*, log_level: str = "info") -> None:
    """Run jobs only: reports, deliveries, maintenance of the lake."""
    from airtally.background import background_of  # noqa: PLC0415 (not loaded by the parent of workers)
    from airtally.cli.serving import check_not_superseded  # noqa: PLC0415
    from airtally.runtime import open_services  # noqa: PLC0415
    from airtally.services import Role  # noqa: PLC0415

    logs.configure(log_level)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    services = open_services(settings_from_environment(), role=Role.JOBS)
    try:
        services.superseded.stop = stop.set
        services.start(background_of(services, Role.JOBS))
        stop.wait()
    finally:
        services.close()
    check_not_superseded(services.superseded)
