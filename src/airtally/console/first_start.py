"""The page `/setup` of a server without users: it makes the first account and its operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import structlog
from litestar import Response, Router, post, route

from airtally.accounts.accounts import check_name, check_slug, checked_currency, checked_zone, slug_of
from airtally.accounts.acting import Actor, ActorKind, acting
from airtally.accounts.one_time_links import Entered, FirstAccount, FirstUser, LinkUnknown
from airtally.accounts.users import MIN_PASSWORD, check_email, check_password, check_username
from airtally.console.anonymous_forms import FORM_COOKIE, MAX_FORM_BYTES, AnonymousForms, form_text, request_form
from airtally.console.forms import FormFields
from airtally.console.one_time import NO_REFERRER, link_gone
from airtally.console.pages import page
from airtally.console.session import entered
from airtally.kit.errors import Conflict, Failure
from airtally.kit.fair_executor import in_thread
from airtally.kit.http import METHODS
from airtally.kit.zones import zone_names
from airtally.services import Services
from airtally.web.requests import AnyRequest, client_address

_log = structlog.get_logger()

#: The currencies that are proposed; any other code of ISO 4217 can be written.
_CURRENCIES = (
    *("ARS", "AUD", "BRL", "CAD", "CHF", "CLP", "CNY", "COP", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "IDR", "ILS"),
    *("INR", "JPY", "KRW", "MXN", "MYR", "NOK", "NPR", "NZD", "PEN", "PHP", "PLN", "RON", "SEK", "SGD", "THB", "TRY"),
    *("UAH", "USD", "VND", "ZAR"),
)
_FIELDS = ("account", "slug", "timezone", "currency", "person", "username", "email")
_CHECKS: Mapping[str, Callable[[str], object]] = {
    "account": check_name,
    "timezone": checked_zone,
    "currency": checked_currency,
    "person": lambda text: check_name(text, "name"),
    "username": check_username,
    "email": check_email,
    "password": check_password,
}


def routes(services: Services) -> list[Router]:
    """The handlers, for the application to mount."""
    first_start = FirstStart(services)

    @route("/setup", http_method=METHODS, sync_to_thread=True)
    def show(request: AnyRequest) -> Response[Any]:
        return _unless_gone(lambda: first_start.show(request.query_params.get("token", "")))

    @post("/setup", status_code=303, request_max_body_size=MAX_FORM_BYTES)
    async def send(request: AnyRequest) -> Response[Any]:
        form = await request_form(request)
        return await in_thread(_unless_gone, lambda: first_start.send(request, form))

    return [Router("/", route_handlers=[show, send])]


class FirstStart:
    """Shows the form and takes it; a field that cannot be used is said beside it."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._links = services.access.links
        self._forms = AnonymousForms(services, "/setup")

    def show(self, token: str) -> Response[Any]:
        """Raises LinkUnknown."""
        self._links.check_setup(token)
        return self._page(token, {"timezone": "UTC", "currency": "USD"}, {})

    def send(self, request: AnyRequest, form: FormFields) -> Response[Any]:
        """Raises LinkUnknown."""
        token = form_text(form, "token")
        self._links.check_setup(token)
        given = {name: form_text(form, name).strip() for name in _FIELDS}
        if not self._forms.is_ours(request, form):
            return self._page(token, given, {"": "The form has expired: please send it again."}, status=403)
        password = form_text(form, "password")
        wrong = _wrong_fields(given | {"password": password})
        if wrong:
            return self._page(token, given, wrong, status=400)
        try:
            made = self._made(request, token, given, password)
        except Conflict as taken:
            return self._page(token, given, {"slug": taken.message}, status=taken.status)
        response = entered(self._services, request, made.session_token, "/")
        self._forms.spent(response)
        _log.info("the first account is made", user=made.user.id, account=made.user.account.slug)
        return response

    def _made(self, request: AnyRequest, token: str, given: Mapping[str, str], password: str) -> Entered:
        account = FirstAccount(given["account"], given["slug"] or None, given["timezone"], given["currency"])
        user = FirstUser(given["username"], given["person"], given["email"], password)
        with acting(Actor(ActorKind.USER, given["username"], client_address(request))):
            return self._links.set_up(token, account, user)

    def _page(
        self, token: str, given: Mapping[str, str], wrong: Mapping[str, str], *, status: int = 200
    ) -> Response[Any]:
        nonce = self._forms.nonce()
        response = page(
            "setup.html",
            status=status,
            csrf_token=self._forms.mark(nonce),
            token=token,
            given=given,
            wrong=wrong,
            zones=zone_names(),
            currencies=_CURRENCIES,
            shortest=MIN_PASSWORD,
        )
        response.cookies.append(self._forms.cookie(FORM_COOKIE, nonce))
        response.headers |= NO_REFERRER
        return response


def _unless_gone(answer: Callable[[], Response[Any]]) -> Response[Any]:
    try:
        return answer()
    except LinkUnknown as failure:
        return link_gone(failure, first=True)


def _wrong_fields(given: Mapping[str, str]) -> dict[str, str]:
    """Why each field cannot be used that cannot."""
    checks = dict(_CHECKS)
    if given["slug"]:
        checks["slug"] = check_slug
    found = {name: _refusal(check, given[name]) for name, check in checks.items()}
    if not given["slug"] and not found["account"]:
        found["slug"] = _refusal(slug_of, given["account"])
    return {name: why for name, why in found.items() if why}


def _refusal(check: Callable[[str], object], value: str) -> str:
    try:
        check(value)
    except Failure as failure:
        return failure.message + (f". {failure.hint}." if failure.hint else ".")
    return ""
