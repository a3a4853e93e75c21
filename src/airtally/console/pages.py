"""Renders the pages from Jinja2 templates, escaped and with security headers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import MediaType, Response

from airtally.console import formats
from airtally.console.assets import asset_address
from airtally.console.navigation import Navigation
from airtally.console.notes import note_of
from airtally.console.views import View
from airtally.console.visits import Visit

#: A page loads nothing from other sites, cannot be framed by them, and is not cached.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def page(template: str, *, status: int = 200, **context: Any) -> Response[str]:
    """A page for somebody who need not be logged in: the log-in form, an error."""
    return _response(_environment().get_template(template).render(visit=None, menu=(), note="", **context), status, {})


def rendered(visit: Visit, shown: View, navigation: Navigation, status: int = 200) -> Response[str]:
    """A view in the console's layout, or its fragment for htmx."""
    template = _environment().get_template(shown.template)
    context = {"visit": visit, "menu": navigation.menu(visit), "note": note_of(visit.request), **shown.context}
    if shown.fragment is None or not visit.wants_fragment:
        return _response(template.render(context), status, shown.headers)
    block = template.blocks[shown.fragment]
    return _response("".join(block(template.new_context(context))), status, shown.headers)


def _response(text: str, status: int, headers: Mapping[str, str]) -> Response[str]:
    return Response(text, status_code=status, media_type=MediaType.HTML, headers={**HEADERS, **headers})


@cache
def _environment() -> Environment:
    loader = PackageLoader("airtally.console")
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.globals["asset"] = asset_address
    made.filters |= formats.FILTERS
    return made
