"""`airtally serve` and `airtally worker`."""

from __future__ import annotations

import gc
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated

import structlog
from cyclopts import Parameter

from airtally.accounts.one_time_links import OneTimeLink
from airtally.app import Airtally
from airtally.background import background_of
from airtally.cli.common import command, settings_from_environment
from airtally.cli.listening import Listening, check_certificate, listen
from airtally.kit import logs
from airtally.kit.errors import NewerHome
from airtally.kit.time import iso_seconds
from airtally.runtime import open_services
from airtally.services import Role, Superseded
from airtally.settings import Settings
from airtally.web.limits import limits_of, open_files
from airtally.web.server import Server

GRACE_SECONDS = 30

_log = structlog.get_logger()


@command
def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    log_level: Annotated[str, Parameter(help="debug, info, warning or error")] = "info",
) -> None:
    """Serve every API, the pages and the jobs from one process; port 0 takes a free one."""
    logs.configure(log_level)
    settings = settings_from_environment()
    check_certificate(tls_cert, tls_key)
    with listen(host, port, tls=tls_cert is not None) as listening:
        serve_on(listening, settings, tls_cert=tls_cert, tls_key=tls_key)


def serve_on(
    listening: Listening, settings: Settings, *, tls_cert: Path | None = None, tls_key: Path | None = None
) -> None:
    """Until a signal ends it. Nothing has been opened before: a port that is taken leaves a home as it was."""
    address = listening.address
    if not settings.public_url:
        listening.warn()
        settings = settings.with_(public_url=address.url)
    app = Airtally(open_services(settings, role=Role.SERVE))
    address.note(settings.home)
    first_link = app.services.access.links.make_setup_link()

    def say_it_runs() -> None:
        listening.announce()
        if first_link is not None:
            _show_first_link(first_link, settings.public_url)

    server = Server(
        app,
        limits=limits_of(settings).within(open_files()),
        tls=None if tls_cert is None else (tls_cert, tls_key),
        proxies=settings.trusted_proxies,
        grace_seconds=GRACE_SECONDS,
        started=say_it_runs,
    )
    superseded = app.services.superseded
    superseded.stop = server.stop
    _share_the_interpreter()
    server.run(list(listening.sockets))
    _end(superseded)
    if not server.started:
        raise SystemExit(3)


def _show_first_link(link: OneTimeLink, address: str) -> None:
    """The link itself is no line of the log, which others may read."""
    until = iso_seconds(link.expires_at)
    print(f"airtally: there is no user yet: make the first at {address}{link.path} (once, until {until})", flush=True)
    _log.info("there is no user yet: the link that makes the first is on standard output", expires_at=until)


def _share_the_interpreter() -> None:
    """So that a small request beside large ones waits less for the interpreter's lock."""
    gc.collect()
    gc.freeze()  # passing over all modules in each full collection takes 70 ms, in which nobody is answered
    sys.setswitchinterval(0.0005)  # it is waited for some ten times in a request, 5 ms each by default


def _end(superseded: Superseded) -> None:
    """Raises NewerHome where that is why the process stopped."""
    if superseded.reason is not None:
        raise NewerHome(superseded.reason)


@command
def worker(*, log_level: str = "info") -> None:
    """Run jobs only: reports, deliveries, maintenance of the lake."""
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
    _end(services.superseded)
