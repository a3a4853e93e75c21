from __future__ import annotations

import pytest

from airtally.vendors.slate.errors import TokenRefused
from airtally.vendors.slate.oauth import check, read_form

FORM = "application/x-www-form-urlencoded"
FULL = {"grant_type": "refresh_token", "refresh_token": "r", "client_id": "c", "client_secret": "s"}


def test_a_form() -> None:
    assert read_form(f"{FORM}; charset=UTF-8", b"a=1&b=x%7Cy+z&a=2\n") == {"a": "2", "b": "x|y z"}
    assert read_form(FORM.upper(), b"") == {"grant_type": ""}


@pytest.mark.parametrize("body", [b"a", b"a=1&b", b"a=%ff", b"\xff=1", b"&".join([b"a=1"] * 101)])
def test_no_form(body: bytes) -> None:
    with pytest.raises(TokenRefused) as refused:
        read_form(FORM, body)
    assert (refused.value.status, refused.value.error) == (400, "invalid_request")


@pytest.mark.parametrize("media_type", ["application/json", "multipart/form-data; boundary=x", ""])
def test_another_media_type(media_type: str) -> None:
    with pytest.raises(TokenRefused):
        read_form(media_type, b"a=1")


def test_fields() -> None:
    check(FULL | {"code": "", "more": "x"})
    for name in FULL:
        with pytest.raises(TokenRefused, match=f"missing a required parameter : {name}"):
            check({each: value for each, value in FULL.items() if each != name})
