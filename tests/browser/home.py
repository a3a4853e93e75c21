"""A home like the demo's, only smaller, for the pages to show something."""

from __future__ import annotations

import time
from pathlib import Path

from airtally.demo.history import add_history
from airtally.demo.home import fill, open_home
from airtally.demo.partner import ALLOWED, partner
from airtally.erasure.person import person_of
from airtally.services import Services
from airtally.settings import Settings
from fixtures.server import LiveServer

#: The account whose pages are looked at, and the user of the demo who looks.
SLUG = "acme-1A2B3C"
_ROWS = 20_000
_DAYS = 31


def served(home: Path, rows: int = _ROWS) -> LiveServer:
    """A running server on a demo of so many playlogs."""
    made = open_home(home, time.time_ns() // 1000, rows, _DAYS)
    settings = Settings(home=home, rate_limits=False, outgoing_allow=ALLOWED, fouryousee_retry_seconds=(0.2, 0.2, 0.2))
    server = LiveServer(settings).start()
    fill(made, server.services, home, lambda *_: None)
    with partner() as addresses:
        add_history(made, server.services, home, addresses)
    _erase_somebody(server.services)
    return server


def _erase_somebody(services: Services) -> None:
    """The one thing that pages show and the demo does not do."""
    account = services.access.accounts.by_slug(SLUG)
    services.privacy.erasures.request(account, person_of({"user_id": ["somebody"]}))


def session_of(services: Services, role: str = "operator") -> str:
    """The token of a new session of a user with this role, made if the demo has none."""
    users = services.access.users
    found = next((each for each in users.all() if each.role == role and each.account.slug == SLUG), None)
    if found is None:
        account = services.access.accounts.by_slug(SLUG)
        found = users.create(
            account,
            username=f"browser-{role}",
            name="Browser",
            email="b@example.org",
            password="correct horse",
            role=role,
        )
    return services.access.sessions.begin(found)
