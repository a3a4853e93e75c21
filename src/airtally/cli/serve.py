"""`airtally serve` and `airtally worker`."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Annotated

import uvicorn
from cyclopts import Parameter

from airtally.app import Airtally
from airtally.background import background_of
from airtally.cli.common import command, settings_from_environment
from airtally.kit import logs
from airtally.runtime import Role, open_services

GRACE_SECONDS = 30


@command
def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    log_level: Annotated[str, Parameter(help="debug, info, warning or error")] = "info",
) -> None:
    """Serve every API, the pages and the jobs from one process."""
    logs.configure(log_level)
    settings = settings_from_environment()
    if not settings.public_url:
        scheme = "https" if tls_cert else "http"
        settings = settings.with_(public_url=f"{scheme}://{host}:{port}")
    app = Airtally(open_services(settings, role=Role.SERVE))
    uvicorn.run(
        app,
        host=host,
        port=port,
        ssl_certfile=tls_cert,
        ssl_keyfile=tls_key,
        http="httptools",
        loop="uvloop",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=[str(network) for network in settings.trusted_proxies],
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


@command
def worker(*, log_level: str = "info") -> None:
    """Run jobs only: reports, deliveries, maintenance of the lake."""
    logs.configure(log_level)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    services = open_services(settings_from_environment(), role=Role.JOBS)
    try:
        services.start(background_of(services, Role.JOBS))
        stop.wait()
    finally:
        services.close()
