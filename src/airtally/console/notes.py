"""A sentence that the page after a form shows once: "The key is revoked". It travels in a cookie."""

from __future__ import annotations

from urllib.parse import quote, unquote

from litestar.datastructures import Cookie

from airtally.web.requests import AnyRequest

NOTE_COOKIE = "airtally_note"
_SECONDS = 60
_LONGEST = 500


def note_cookie(note: str, *, secure: bool) -> Cookie:
    value = quote(note[:_LONGEST])
    return Cookie(NOTE_COOKIE, value=value, path="/", httponly=True, samesite="strict", secure=secure, max_age=_SECONDS)


def note_of(request: AnyRequest) -> str:
    """The note to show; empty for none."""
    return unquote(request.cookies.get(NOTE_COOKIE, ""))[:_LONGEST]
