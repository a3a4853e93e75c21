"""`/admin/reports_api.php`: an account's reports, for people.

docs/vendors/fouryousee.md#9.
"""

from __future__ import annotations

from typing import Any

from litestar import Response, route
from litestar.response import Redirect

from airtally.console.pages import page
from airtally.console.session import current_session
from airtally.kit.http import METHODS
from airtally.kit.paging import Page, SortKey, whole_number
from airtally.reports.report import ReportState
from airtally.services import Services
from airtally.web.requests import AnyRequest

PATH = "/admin/reports_api.php"
_NEWEST_FIRST = (SortKey("id", descending=True),)
_LIMIT = 100
_WITHOUT_FILE = (ReportState.WAITING, ReportState.FAILED, ReportState.CANCELLED)


def routes(services: Services) -> list[Any]:
    @route(PATH, http_method=METHODS, sync_to_thread=True)
    def reports_page(request: AnyRequest) -> Response[Any]:
        session = current_session(request, services)
        if session is None:
            return Redirect(f"/login?next={PATH}", status_code=302)
        account, reports = session.user.account, services.reports
        asked = Page(whole_number(request.query_params.get("page"), default=1, largest=10**9), _LIMIT)
        done, total = reports.page(account, asked, _NEWEST_FIRST, statuses=[ReportState.SUCCESS])
        others, _ = reports.page(account, Page(1, _LIMIT), _NEWEST_FIRST, statuses=_WITHOUT_FILE)
        now = services.clock.now_us()
        return page(
            "reports.html",
            done=[(each, reports.url(account, each) if each.has_file(now) else None) for each in done],
            others=[(each, reports.progress(each)) for each in others],
            pages=asked.pages_of(total),
            number=asked.number,
        )

    return [reports_page]
