"""Makes routes of declared pages: the session, the account, the form's token and the answer's form stand here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any
from urllib.parse import quote

from litestar import Response, Router
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.params import RawBody
from litestar.response import Redirect

from airtally.api.authorize import account_of
from airtally.console.declared import ConsolePage, DeclaredPage, Place
from airtally.console.forms import FormFields, read_form
from airtally.console.navigation import Navigation
from airtally.console.notes import NOTE_COOKIE, note_cookie
from airtally.console.pages import rendered
from airtally.console.session import check_form, current_session, is_https, to_login
from airtally.console.tables import csv_asked
from airtally.console.views import Moved, View
from airtally.console.visits import Visit
from airtally.kit import fair
from airtally.kit.errors import Failure, Forbidden
from airtally.kit.http import METHODS
from airtally.services import Services
from airtally.web.requests import AnyRequest, note_account

#: The longest form: a row of the quarantine that is mended, a statement of SQL.
_MAX_FORM_BYTES = 1 << 20


def page_routes(pages: Sequence[ConsolePage], services: Services) -> list[Router]:
    """One router for each path: Litestar wraps a threaded handler twice if another comes later for its path."""
    navigation = Navigation.of(pages)
    by_path = groupby(sorted(pages, key=lambda each: each.path), key=lambda each: each.path)
    return [
        Router(_typed(path), route_handlers=[ServedPage(each, services, navigation).route() for each in group])
        for path, group in by_path
    ]


def _typed(path: str) -> str:
    return path.replace("}", ":str}")


class ServedPage:
    """Answers requests for one page, or takes one form. Blocks: it runs in a worker thread."""

    def __init__(self, page: ConsolePage, services: Services, navigation: Navigation) -> None:
        self._page = page
        self._services = services
        self._navigation = navigation

    def route(self) -> HTTPRouteHandler:
        def show(request: AnyRequest) -> Response[Any]:
            return self._show(request)

        def send(request: AnyRequest, body: RawBody) -> Response[Any]:
            return self._send(request, body)

        is_form = self._page.declared.method == "POST"
        route = HTTPRouteHandler(
            "/",
            http_method=[HttpMethod.POST] if is_form else METHODS,
            status_code=200,  # each answer sets its own
            sync_to_thread=True,
            request_max_body_size=_MAX_FORM_BYTES,
        )
        return route(send if is_form else show)

    def _show(self, request: AnyRequest) -> Response[Any]:
        visit = self._visit(request)
        return to_login(request) if visit is None else self._response(visit, self._page.handler(visit))

    def _send(self, request: AnyRequest, body: bytes) -> Response[Any]:
        visit = self._visit(request)
        if visit is None:
            return to_login(request)
        form = read_form(request.headers.get("content-type", ""), body)
        check_form(visit.session, form)
        return self._done(replace(visit, form=form))

    def _done(self, visit: Visit) -> Response[Any]:
        try:
            return self._response(visit, self._page.handler(visit))
        except Failure as failure:
            if failure.status >= 500 or self._page.again is None:
                raise
            failed = replace(visit, failure=failure, shown_at=self._path_of_again(visit.request))
            return self._response(failed, self._page.again(failed), failure.status)

    def _path_of_again(self, request: AnyRequest) -> str:
        """Where the page is whose form was refused."""
        declared: DeclaredPage = self._page.again.declared_page  # type: ignore[union-attr]
        values = {name: quote(str(value), safe="") for name, value in request.path_params.items()}
        return (declared.place + declared.path).format_map(values)

    def _visit(self, request: AnyRequest) -> Visit | None:
        """None if nobody is logged in. Raises NotFound for another's account, Forbidden for an operator's page."""
        session = current_session(request, self._services)
        if session is None:
            return None
        fair.CALLER.set(session.user.account.slug)
        note_account(request, session.user.account.slug)
        self._services.access.call_limit.take_page(session.user.id)
        visit = Visit(request, session, session.user.account, self._services.clock.now_us(), FormFields())
        if self._page.declared.place is Place.SERVER and not visit.is_operator:
            raise Forbidden("Only operators see this page", hint="Ask an operator of this server for the role")
        named = request.path_params.get("slug")
        accounts = self._services.access.accounts
        return visit if named is None else replace(visit, account=account_of(visit.principal, named, accounts))

    def _response(
        self, visit: Visit, answered: View | Moved | Response[Any], status: int | None = None
    ) -> Response[Any]:
        if isinstance(answered, Moved):
            return self._moved(answered)
        if not isinstance(answered, View):
            return answered
        table = csv_asked(visit, answered.context.values())
        if table is not None:
            return table.as_csv()
        response = rendered(visit, answered, self._navigation, status or answered.status)
        if NOTE_COOKIE in visit.request.cookies:
            response.delete_cookie(NOTE_COOKIE, path="/")
        return response

    def _moved(self, moved: Moved) -> Response[Any]:
        response: Response[Any] = Redirect(moved.path, status_code=303)
        if moved.note:
            response.cookies.append(note_cookie(moved.note, secure=is_https(self._services)))
        return response
