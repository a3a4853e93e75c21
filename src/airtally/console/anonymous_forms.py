"""Forms for people who are not logged in: a cookie of their own protects them from forged requests."""

from __future__ import annotations

import hashlib
import hmac
import secrets as random
from collections.abc import Mapping
from typing import Any

from litestar import Response
from litestar.datastructures import Cookie

from airtally.console.forms import FormFields, read_form
from airtally.console.session import is_https
from airtally.services import Services
from airtally.web.requests import AnyRequest

FORM_COOKIE = "airtally_form"
MAX_FORM_BYTES = 16_384
_LONGEST = 1024


class AnonymousForms:
    """The forms of one path. Each has the mark of a random number, which a cookie brings beside it."""

    def __init__(self, services: Services, path: str) -> None:
        self._services = services
        self._path = path
        self._key = services.access.secrets.subkey(f"{path[1:]} form")

    def nonce(self) -> str:
        return random.token_urlsafe(24)

    def mark(self, nonce: str) -> str:
        """What the form has as `csrf_token`."""
        return hmac.digest(self._key, nonce.encode(), hashlib.sha256).hex()

    def cookie(self, name: str, value: str, max_age: int | None = None) -> Cookie:
        """A cookie that browsers send to the path only."""
        https = is_https(self._services)
        return Cookie(
            name, value=value, path=self._path, httponly=True, samesite="strict", secure=https, max_age=max_age
        )

    def is_ours(self, request: AnyRequest, form: Mapping[str, str]) -> bool:
        """Whether the form came from a page that this browser was sent."""
        nonce = request.cookies.get(FORM_COOKIE, "")
        sent = form_text(form, "csrf_token")
        return bool(nonce) and hmac.compare_digest(self.mark(nonce).encode(), sent.encode(errors="replace"))

    def spent(self, response: Response[Any]) -> None:
        """Take the cookie back: the form was used."""
        response.delete_cookie(FORM_COOKIE, path=self._path)


def form_text(form: Mapping[str, str], name: str) -> str:
    """A field's text; empty if the field is missing or has more than 1,024 characters."""
    value = form.get(name, "")
    return value if len(value) <= _LONGEST else ""


async def request_form(request: AnyRequest) -> FormFields:
    """The fields of the request's form. Raises BadRequest."""
    return read_form(request.headers.get("content-type", ""), await request.body())
