"""The pages `/login` and `/logout`, and the start page of a user."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from litestar import Response, Router, post, route
from litestar.response import Redirect

from airtally.accounts.known_devices import KnownDevices
from airtally.accounts.permissions import Permission, of_role
from airtally.accounts.users import User
from airtally.console.anonymous_forms import FORM_COOKIE, MAX_FORM_BYTES, AnonymousForms, form_text, request_form
from airtally.console.pages import page
from airtally.console.session import COOKIE, check_form, current_session, entered, to_login
from airtally.kit import metrics
from airtally.kit.errors import Failure, TooManyRequests
from airtally.kit.fair_executor import in_thread
from airtally.kit.http import METHODS
from airtally.services import Services
from airtally.web.requests import AnyRequest, client_address

_log = structlog.get_logger()

#: Marks a browser from which a user has logged in before.
DEVICE_COOKIE = "airtally_device"
_DEVICE_SECONDS = 365 * 86_400


def routes(services: Services) -> list[Router]:
    """The handlers, for the application to mount."""
    login = Login(services)

    @route("/", http_method=METHODS, sync_to_thread=True)
    def home(request: AnyRequest) -> Response[Any]:
        session = current_session(request, services)
        return to_login(request) if session is None else Redirect(start_page(session.user, services), status_code=303)

    @route("/login", http_method=METHODS, sync_to_thread=True)
    def form(request: AnyRequest) -> Response[Any]:
        wanted = safe_path(request.query_params.get("next"))
        if current_session(request, services) is not None:
            return Redirect(wanted, status_code=303)
        return login.form(wanted)

    @post("/login", status_code=303, request_max_body_size=MAX_FORM_BYTES)
    async def enter(request: AnyRequest) -> Response[Any]:
        return await in_thread(login.enter, request, await request_form(request))

    @post("/logout", status_code=303, request_max_body_size=MAX_FORM_BYTES)
    async def leave(request: AnyRequest) -> Response[Any]:
        return await in_thread(login.leave, request, await request_form(request))

    # Litestar 2.25 wraps a threaded handler twice if a later handler has the same path, but not in a router
    return [Router("/", route_handlers=[home, form, enter, leave])]


class Login:
    """Logs users in and out. Without a session, a cookie of its own protects the log-in form from forged requests."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._sessions = services.access.sessions
        self._forms = AnonymousForms(services, "/login")
        self._devices = KnownDevices(services.access.secrets)
        self._log_in = services.access.log_in

    def form(self, wanted: str, *, error: str = "", username: str = "", status: int = 200) -> Response[Any]:
        """The login page with a fresh form."""
        nonce = self._forms.nonce()
        response = page(
            "login.html",
            status=status,
            csrf_token=self._forms.mark(nonce),
            wanted=wanted,
            error=error,
            username=username,
        )
        response.cookies.append(self._forms.cookie(FORM_COOKIE, nonce))
        return response

    def enter(self, request: AnyRequest, form: Mapping[str, str]) -> Response[Any]:
        wanted, username = safe_path(form_text(form, "next")), form_text(form, "username")
        if not self._forms.is_ours(request, form):
            return self._refused("form", 403, wanted, "The form has expired: please try again.", username)
        try:
            device = self._devices.known(request.cookies.get(DEVICE_COOKIE, ""), username)
            user = self._log_in.attempt(username, form_text(form, "password"), client_address(request), device)
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
        """Begin a new session, from what is a known device of the user from now on."""
        response = entered(self._services, request, self._sessions.begin(user), wanted)
        response.cookies.append(self._forms.cookie(DEVICE_COOKIE, self._devices.make(user.username), _DEVICE_SECONDS))
        self._forms.spent(response)
        _log.info("logged in", user=user.id, account=user.account.slug)
        return response

    def _refused(self, reason: str, status: int, wanted: str, error: str, username: str) -> Response[Any]:
        metrics.LOGINS_REFUSED.labels(reason).inc()
        return self.form(wanted, error=error, username=username[:64], status=status)


def start_page(user: User, services: Services) -> str:
    """Where a user begins: operators with all accounts, if there are several."""
    if Permission.OPERATOR in of_role(user.role) and len(services.access.accounts.all(limit=2)) > 1:
        return "/status"
    return f"/accounts/{user.account.slug}/overview"


def safe_path(wanted: str | None) -> str:
    """`wanted` if it is a path of this server, else `/`: a log-in never redirects to another site."""
    if not wanted or not wanted.startswith("/") or wanted.startswith("//") or not wanted.isprintable():
        return "/"
    return "/" if "\\" in wanted or not wanted.isascii() else wanted
