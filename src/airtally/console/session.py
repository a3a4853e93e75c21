"""Who looks at a page: the session cookie, and the token that every form of a session carries."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlencode

from litestar import Response
from litestar.datastructures import Cookie
from litestar.response import Redirect

from airtally.accounts.secrets import Secrets
from airtally.accounts.sessions import LIFE_US, Session, Sessions
from airtally.accounts.users import User, Users
from airtally.database.store import MetadataStore
from airtally.kit import attempts
from airtally.kit.clock import Clock
from airtally.kit.errors import Forbidden
from airtally.kit.time import SECOND_US
from airtally.settings import Settings
from airtally.web.requests import AnyRequest

COOKIE = "airtally_session"


class PageServices(Protocol):
    """What pages need of the running program."""

    @property
    def settings(self) -> Settings: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def store(self) -> MetadataStore: ...
    @property
    def secrets(self) -> Secrets: ...
    @property
    def users(self) -> Users: ...


def sessions_of(services: PageServices) -> Sessions:
    return Sessions(services.store, services.secrets, services.users, services.clock)


def current_session(request: AnyRequest, services: PageServices) -> Session | None:
    """Reads the store: for handlers that run in a worker thread."""
    token = request.cookies.get(COOKIE)
    if not token:
        return None
    session = sessions_of(services).get(token)
    attempts.note(right=session is not None)
    return session


def current_user(request: AnyRequest, services: PageServices) -> User | None:
    """Reads the store: for handlers that run in a worker thread."""
    session = current_session(request, services)
    return None if session is None else session.user


def check_form(session: Session, form: Mapping[str, str]) -> None:
    """Raises Forbidden for a form that did not come from one of the session's pages."""
    if not hmac.compare_digest(form.get("csrf_token", "").encode(), session.csrf_token.encode()):
        raise Forbidden("The form is out of date", hint="Go back, load the page again and send it once more")


def to_login(request: AnyRequest) -> Response[Any]:
    """Send whoever is not logged in to the login page, and from there back here."""
    query = f"?{request.url.query}" if request.url.query else ""
    return Redirect(f"/login?{urlencode({'next': request.url.path + query})}", status_code=303)


def session_cookie(services: PageServices, token: str) -> Cookie:
    return Cookie(
        COOKIE,
        value=token,
        path="/",
        httponly=True,
        samesite="lax",
        secure=is_https(services),
        max_age=LIFE_US // SECOND_US,
    )


def is_https(services: PageServices) -> bool:
    return services.settings.public_url.startswith("https://")
