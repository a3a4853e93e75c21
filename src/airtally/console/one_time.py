"""The page `/sign-in` of a link that signs a person in once, without a password."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from litestar import Response, Router, post, route
from litestar.response import Redirect

from airtally.accounts.one_time_links import LinkUnknown
from airtally.accounts.users import User
from airtally.console.anonymous_forms import FORM_COOKIE, MAX_FORM_BYTES, AnonymousForms, form_text, request_form
from airtally.console.forms import FormFields
from airtally.console.login import safe_path
from airtally.console.pages import page
from airtally.console.session import current_session, entered
from airtally.kit.fair_executor import in_thread
from airtally.kit.http import METHODS
from airtally.services import Services
from airtally.web.requests import AnyRequest

_log = structlog.get_logger()

#: The address has the secret: no request tells from which page it came.
NO_REFERRER = {"Referrer-Policy": "no-referrer"}


def routes(services: Services) -> list[Router]:
    """The handlers, for the application to mount."""
    sign_in = SignIn(services)

    @route("/sign-in", http_method=METHODS, sync_to_thread=True)
    def show(request: AnyRequest) -> Response[Any]:
        return sign_in.show(request)

    @post("/sign-in", status_code=303, request_max_body_size=MAX_FORM_BYTES)
    async def enter(request: AnyRequest) -> Response[Any]:
        return await in_thread(sign_in.enter, request, await request_form(request))

    return [Router("/", route_handlers=[show, enter])]


def link_gone(failure: LinkUnknown, *, first: bool = False) -> Response[Any]:
    """The page in the place of one that a link has led to; `first`: to the first start."""
    response = page("link_gone.html", status=failure.status, failure=failure, first=first)
    response.headers |= NO_REFERRER
    return response


class SignIn:
    """A page with one button, and what it does: programs that look at links press none, and leave the link as it is."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._links = services.access.links
        self._forms = AnonymousForms(services, "/sign-in")

    def show(self, request: AnyRequest) -> Response[Any]:
        """Whoever is logged in is sent on from a link that works no longer, as after a reload."""
        token, wanted = request.query_params.get("token", ""), safe_path(request.query_params.get("next"))
        return self._or_go_on(request, wanted, lambda: self._page(token, self._links.whose(token), wanted))

    def enter(self, request: AnyRequest, form: FormFields) -> Response[Any]:
        """Whoever has pressed the button twice is sent on too."""
        token, wanted = form_text(form, "token"), safe_path(form_text(form, "next"))
        return self._or_go_on(request, wanted, lambda: self._signed_in(request, form, token, wanted))

    def _or_go_on(self, request: AnyRequest, wanted: str, answer: Callable[[], Response[Any]]) -> Response[Any]:
        try:
            return answer()
        except LinkUnknown as failure:
            if current_session(request, self._services) is None:
                return link_gone(failure)
            return Redirect(wanted, status_code=303)

    def _signed_in(self, request: AnyRequest, form: FormFields, token: str, wanted: str) -> Response[Any]:
        if not self._forms.is_ours(request, form):
            return self._page(token, self._links.whose(token), wanted, status=403)
        signed_in = self._links.sign_in(token)
        response = entered(self._services, request, signed_in.session_token, wanted)
        self._forms.spent(response)
        _log.info("signed in by a link", user=signed_in.user.id, account=signed_in.user.account.slug)
        return response

    def _page(self, token: str, user: User, wanted: str, *, status: int = 200) -> Response[Any]:
        nonce = self._forms.nonce()
        response = page(
            "sign_in.html",
            status=status,
            csrf_token=self._forms.mark(nonce),
            token=token,
            wanted=wanted,
            user=user,
            expired=status == 403,
        )
        response.cookies.append(self._forms.cookie(FORM_COOKIE, nonce))
        response.headers |= NO_REFERRER
        return response
