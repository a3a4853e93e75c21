"""The session cookie of the pages, and the token that protects their forms from forged requests."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from litestar import Response
from litestar.datastructures import Cookie
from litestar.response import Redirect

from airtally.accounts.sessions import LIFE_US, Session
from airtally.accounts.users import User
from airtally.kit import attempts
from airtally.kit.errors import Forbidden
from airtally.kit.time import SECOND_US
from airtally.services import Services
from airtally.web.requests import AnyRequest

COOKIE = "airtally_session"


def current_session(request: AnyRequest, services: Services) -> Session | None:
    """The request's session, None without one. Blocks to read the store: call it from a worker thread."""
    token = request.cookies.get(COOKIE)
    if not token:
        return None
    session = services.access.sessions.get(token)
    attempts.note(right=session is not None)
    return session


def current_user(request: AnyRequest, services: Services) -> User | None:
    """The user who is logged in, None for nobody. Blocks to read the store: call it from a worker thread."""
    session = current_session(request, services)
    return None if session is None else session.user


def check_form(session: Session, form: Mapping[str, str]) -> None:
    """Raises Forbidden for a form that did not come from one of the session's pages."""
    if not hmac.compare_digest(form.get("csrf_token", "").encode(), session.csrf_token.encode()):
        raise Forbidden("The form has expired", hint="Go back, load the page again and send the form again")


def to_login(request: AnyRequest) -> Response[Any]:
    """Redirect to the login page, which redirects back here: with 302 for a page, as 4YouSee's users are."""
    query = f"?{request.url.query}" if request.url.query else ""
    address = f"/login?{urlencode({'next': request.url.path + query})}"
    return Redirect(address, status_code=302 if request.method in {"GET", "HEAD"} else 303)


def entered(services: Services, request: AnyRequest, token: str, wanted: str) -> Response[Any]:
    """Go on to `wanted` with a new session. One that was open in this browser ends, so that nobody can plant its token."""
    if request.cookies.get(COOKIE):
        services.access.sessions.end(request.cookies[COOKIE])
    response: Response[Any] = Redirect(wanted, status_code=303)
    response.cookies.append(session_cookie(services, token))
    return response


def session_cookie(services: Services, token: str) -> Cookie:
    return Cookie(
        COOKIE,
        value=token,
        path="/",
        httponly=True,
        samesite="lax",
        secure=is_https(services),
        max_age=LIFE_US // SECOND_US,
    )


def is_https(services: Services) -> bool:
    return services.settings.public_url.startswith("https://")
