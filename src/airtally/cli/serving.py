"""Serves an application on sockets until it is stopped, in the only process or in one of several workers."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from airtally.accounts.one_time_links import OneTimeLink
from airtally.app import Airtally
from airtally.cli.listening import Listening
from airtally.kit.crew import Crew
from airtally.kit.errors import NewerHome
from airtally.kit.time import iso_seconds
from airtally.runtime import open_services
from airtally.services import Role, Superseded
from airtally.settings import Settings
from airtally.web.limits import limits_of, open_files
from airtally.web.server import Server
from airtally.web.turns import TurnsOfWorkers

GRACE_SECONDS = 30

#: Status of a process that could not start its application.
NOT_STARTED = 3

_log = structlog.get_logger()


def serve_on(
    listening: Listening, settings: Settings, *, tls_cert: Path | None = None, tls_key: Path | None = None
) -> None:
    """Until a signal ends it. Nothing has been opened before: a port that is taken leaves a home as it was."""
    if not settings.public_url:
        listening.warn()

    def announce(lines: Sequence[str]) -> None:
        listening.announce()
        for line in lines:
            print(line, flush=True)

    _serve_until_stopped(listening, settings, (tls_cert, tls_key), announce=announce)


def serve_as_worker(
    listening: Listening,
    settings: Settings,
    crew: Crew,
    *,
    tls: tuple[Path | None, Path | None],
    first: bool,
    announce: Callable[[Sequence[str]], None],
) -> None:
    """One of several processes on the same sockets, with its share of what they may use together.

    `first`: nobody has served this home since the parent started. `announce` gets what is to be said then, once
    requests are answered.
    """
    _serve_until_stopped(listening, settings.shared_by(crew.count), tls, crew=crew, first=first, announce=announce)


def _serve_until_stopped(
    listening: Listening,
    settings: Settings,
    tls: tuple[Path | None, Path | None],
    *,
    announce: Callable[[Sequence[str]], None],
    crew: Crew | None = None,
    first: bool = True,
) -> None:
    address = listening.address
    settings = settings if settings.public_url else settings.with_(public_url=address.url)
    role = Role.SERVE if crew is None or crew.leads else Role.ROWS
    app = Airtally(open_services(settings, role=role, crew=crew))
    lines: list[str] = []
    if first:
        address.note(settings.home)
        link = app.services.access.links.make_setup_link()
        lines += [] if link is None else [_first_link(link, settings.public_url)]
    server = Server(
        app,
        limits=limits_of(settings).within(open_files()),
        tls=None if tls[0] is None else (tls[0], tls[1]),
        proxies=settings.trusted_proxies,
        grace_seconds=GRACE_SECONDS,
        started=lambda: announce(lines),
        turns=None if crew is None else TurnsOfWorkers(crew.turns, crew.number, crew.count),
    )
    superseded = app.services.superseded
    superseded.stop = server.stop
    _share_the_interpreter()
    server.run(list(listening.sockets))
    check_not_superseded(superseded)
    if not server.started:
        raise SystemExit(NOT_STARTED)


def _first_link(link: OneTimeLink, address: str) -> str:
    """The link itself is no line of the log, which others may read."""
    until = iso_seconds(link.expires_at)
    _log.info("there is no user yet: the link that makes the first is on standard output", expires_at=until)
    return f"airtally: there is no user yet: make the first at {address}{link.path} (once, until {until})"


def _share_the_interpreter() -> None:
    """So that a small request beside large ones waits less for the interpreter's lock."""
    gc.collect()
    gc.freeze()  # passing over all modules in each full collection takes 70 ms, in which nobody is answered
    sys.setswitchinterval(0.0005)  # it is waited for some ten times in a request, 5 ms each by default


def check_not_superseded(superseded: Superseded) -> None:
    """Raises NewerHome where that is why the process stopped."""
    if superseded.reason is not None:
        raise NewerHome(superseded.reason)
