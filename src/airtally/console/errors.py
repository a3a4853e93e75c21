"""Error answers of paths that no API owns: a page for browsers, problem+json for programs."""

from __future__ import annotations

from http import HTTPStatus

from litestar import Response

from airtally.api import problems
from airtally.console.pages import page
from airtally.kit.errors import Failure
from airtally.kit.http import prefers_page
from airtally.web.requests import AnyRequest


def respond(failure: Failure, request: AnyRequest) -> Response[str] | Response[bytes]:
    """The error in the form that the header `Accept` prefers."""
    answer: Response[str] | Response[bytes]
    if prefers_page(request.headers.get("accept", "")):
        title = HTTPStatus(failure.status).phrase
        answer = page("error.html", status=failure.status, title=title, failure=failure)
        answer.headers |= problems.headers(failure)
    else:
        answer = problems.respond(failure, request)
    answer.headers["Vary"] = "Accept"
    return answer
