"""The pages `/login` and `/logout`, and the start page of a user."""

from __future__ import annotations

import hashlib
import hmac
import secrets as random
from collections.abc import Mapping
from typing import Any

import structlog
from litestar import Response, Router, post, route
from litestar.datastructures import Cookie
from litestar.response import Redirect

from airtally.accounts.known_devices import KnownDevices
from airtally.accounts.users import User
from airtally.console.forms import FormFields, read_form
from airtally.console.pages import page
from airtally.console.session import (
    COOKIE,
    check_form,
    current_session,
    is_https,
    session_cookie,
    to_login,
)
from airtally.kit import metrics
from airtally.kit.errors import Failure, TooManyRequests
from airtally.kit.fair_executor import in_thread
from airtally.kit.http import METHODS
from airtally.services import Services
from airtally.web.requests import AnyRequest, client_address

_log = structlog.get_logger()

FORM_COOKIE = "airtally_form"
#: Marks a browser from which a user has logged in before.
DEVICE_COOKIE = "airtally_device"
_DEVICE_SECONDS = 365 * 86_400
_MAX_FORM_BYTES = 16_384
_LONGEST = 1024


def routes(services: Services) -> list[Router]:
    """The handlers, for the application to mount."""
    login = Login(services)

    @route("/", http_method=METHODS, sync_to_thread=True)
    def home(request: AnyRequest) -> Response[Any]:
        session = current_session(request, services)
        return to_login(request) if session is None else Redirect(start_page(session.user), status_code=303)

    @route("/login", http_method=METHODS, sync_to_thread=True)
    def form(request: AnyRequest) -> Response[Any]:
        wanted = safe_path(request.query_params.get("next"))
        if current_session(request, services) is not None:
            return Redirect(wanted, status_code=303)
        return login.form(wanted)

    @post("/login", status_code=303, request_max_body_size=_MAX_FORM_BYTES)
    async def enter(request: AnyRequest) -> Response[Any]:
        return await in_thread(login.enter, request, await _form(request))

    @post("/logout", status_code=303, request_max_body_size=_MAX_FORM_BYTES)
    async def leave(request: AnyRequest) -> Response[Any]:
        return await in_thread(login.leave, request, await _form(request))

    # Litestar 2.25 wraps a threaded handler twice if a later handler has the same path, but not in a router
    return [Router("/", route_handlers=[home, form, enter, leave])]


class Login:
    """Logs users in and out. Without a session, a cookie of its own protects the log-in form from forged requests."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._sessions = services.access.sessions
        self._form_key = services.access.secrets.subkey("login form")
        self._devices = KnownDevices(services.access.secrets)
        self._log_in = services.access.log_in

    def form(self, wanted: str, *, error: str = "", username: str = "", status: int = 200) -> Response[Any]:
        """The login page with a fresh form."""
        nonce = random.token_urlsafe(24)
        response = page(
            "login.html", status=status, csrf_token=self._mark(nonce), wanted=wanted, error=error, username=username
        )
        response.cookies.append(self._own_cookie(FORM_COOKIE, nonce))
        return response

    def enter(self, request: AnyRequest, form: Mapping[str, str]) -> Response[Any]:
        wanted, username = safe_path(_form_text(form, "next")), _form_text(form, "username")
        if not self._is_ours(request, form):
            return self._refused("form", 403, wanted, "The form has expired: please try again.", username)
        try:
            device = self._devices.known(request.cookies.get(DEVICE_COOKIE, ""), username)
            user = self._log_in.attempt(username, _form_text(form, "password"), client_address(request), device)
        except Failure as failure:
            reason = "rate" if isinstance(failure, TooManyRequests) else "failure"
            refused = self._refused(reason, failure.status, wanted, failure.message, username)
            if failure.retry_after is not None:
                refused.headers["Retry-After"] = str(failure.retry_after)
            return refused
        if user is None:
            return self._refused("password", 401, wanted, "The user name or the password is wrong.", username)
        return self._let_in(user, request, wanted)

    def leave(self, request: AnyRequest, form: Mapping[str, str]) -> Response[Any]:
        session = current_session(request, self._services)
        if session is not None:
            check_form(session, form)
            self._sessions.end(request.cookies[COOKIE])
        response: Response[Any] = Redirect("/login", status_code=303)
        response.delete_cookie(COOKIE, path="/")
        return response

    def _let_in(self, user: User, request: AnyRequest, wanted: str) -> Response[Any]:
        """Begin a new session. One that was open in this browser ends, so that nobody can plant its token."""
        if request.cookies.get(COOKIE):
            self._sessions.end(request.cookies[COOKIE])
        response: Response[Any] = Redirect(wanted, status_code=303)
        response.cookies.append(session_cookie(self._services, self._sessions.begin(user)))
        response.cookies.append(self._own_cookie(DEVICE_COOKIE, self._devices.make(user.username), _DEVICE_SECONDS))
        response.delete_cookie(FORM_COOKIE, path="/login")
        _log.info("logged in", user=user.id, account=user.account.slug)
        return response

    def _refused(self, reason: str, status: int, wanted: str, error: str, username: str) -> Response[Any]:
        metrics.LOGINS_REFUSED.labels(reason).inc()
        return self.form(wanted, error=error, username=username[:64], status=status)

    def _own_cookie(self, name: str, value: str, max_age: int | None = None) -> Cookie:
        """A cookie that browsers send to `/login` only."""
        https = is_https(self._services)
        return Cookie(name, value=value, path="/login", httponly=True, samesite="strict", secure=https, max_age=max_age)

    def _is_ours(self, request: AnyRequest, form: Mapping[str, str]) -> bool:
        nonce = request.cookies.get(FORM_COOKIE, "")
        return bool(nonce) and hmac.compare_digest(self._mark(nonce).encode(), _form_text(form, "csrf_token").encode())

    def _mark(self, nonce: str) -> str:
        return hmac.digest(self._form_key, nonce.encode(), hashlib.sha256).hex()


def start_page(user: User) -> str:
    """Where a user begins."""
    return f"/accounts/{user.account.slug}/overview"


def safe_path(wanted: str | None) -> str:
    """`wanted` if it is a path of this server, else `/`: a log-in never redirects to another site."""
    if not wanted or not wanted.startswith("/") or wanted.startswith("//") or not wanted.isprintable():
        return "/"
    return "/" if "\\" in wanted or not wanted.isascii() else wanted


def _form_text(form: Mapping[str, str], name: str) -> str:
    """A field's text; empty if the field is missing or has more than 1,024 characters."""
    value = form.get(name, "")
    return value if len(value) <= _LONGEST else ""


async def _form(request: AnyRequest) -> FormFields:
    """The fields of the request's form. Raises BadRequest."""
    return read_form(request.headers.get("content-type", ""), await request.body())
