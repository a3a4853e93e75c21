"""The bodies of successful answers.

docs/vendors/tapjoy.md#2, #5.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from airtally.vendors.tapjoy.choices import CHOICES

P = TypeVar("P")


def token_body(token: str) -> bytes:
    return msgspec.json.encode(
        {"access_token": token, "token_type": "bearer", "expires_in": CHOICES.expires_in, "refresh_token": None}
    )


def insights_body(
    asked_id: str, group: Mapping[str, Any], link: str | None, insights: Iterable[P]
) -> Iterator[bytes | P]:
    """`asked_id` as the client sent it; `link` leads to the secondary offer's insights, if there is one."""
    about: dict[str, Any] = {"metadata": {"name": group["name"], "platform": group["platform"]}}
    if link is not None:
        about["metadata"]["secondary_offer_id"] = group["secondary_offer_id"]
        about["rel"] = {"link": link}
    opening = b'{"data":{%b:{"insights":' % msgspec.json.encode(asked_id)
    yield opening
    yield from insights
    yield b",%b}}}" % msgspec.json.encode(about)[1:-1]


def link_to(public_url: str, ad_group_id: str) -> str:
    return f"{public_url.rstrip('/')}/v1/ad_groups/{quote(ad_group_id, safe='')}/insights"
