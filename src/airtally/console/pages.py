"""Renders the pages from Jinja2 templates, escaped and with security headers."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import MediaType, Response

from airtally.kit.time import to_datetime

#: A page loads nothing from other sites, cannot be framed by them, and is not cached.
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def page(template: str, *, status: int = 200, **context: Any) -> Response[str]:
    """Render a template of `templates/`. The layout shows who is logged in: `session`, None for nobody."""
    context.setdefault("session", None)
    text = _environment().get_template(template).render(context)
    return Response(text, status_code=status, media_type=MediaType.HTML, headers=HEADERS)


def asset(name: str) -> bytes:
    """A file of `assets/`."""
    return files("airtally.console").joinpath("assets", name).read_bytes()


@cache
def _environment() -> Environment:
    loader = PackageLoader("airtally.console")
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters["moment"] = lambda us: to_datetime(us).strftime("%Y-%m-%d %H:%M:%S UTC")
    return made
