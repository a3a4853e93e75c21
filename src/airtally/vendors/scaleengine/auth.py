"""Authenticates a request by its key, timestamp and signature.

docs/vendors/scaleengine.md#2, and the order of the checks: docs/vendors/scaleengine.md#6.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from airtally.accounts.principal import Principal
from airtally.kit import attempts
from airtally.kit.sent_json import decode_sent
from airtally.kit.time import SECOND_US
from airtally.services import Services
from airtally.vendors.scaleengine import signature
from airtally.vendors.scaleengine.choices import CHOICES
from airtally.vendors.scaleengine.errors import bad_signature, bad_timestamp, unreadable
from airtally.vendors.scaleengine.params import API_KEY, CDN, CDN_ID, TIMESTAMP, whole_number
from airtally.vendors.scaleengine.replays import Replays

Members = Mapping[str, Any]


def read_members(text: bytes | None) -> Members:
    """The JSON object of a request. Raises ViewerLogRefused."""
    try:
        found = None if text is None else decode_sent(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise unreadable() from None
    if not isinstance(found, dict) or not _within(found, CHOICES.nesting_levels):
        raise unreadable()
    return found


def authenticated(services: Services, replays: Replays, text: bytes, members: Members) -> Principal:
    """Raises ViewerLogRefused for a wrong key, time or signature. Reads the store."""
    principal = _holder(services, members)
    sent_at = _timestamp(members)
    window = services.settings.scaleengine_window
    if sent_at is None or abs(services.clock.now_us() // SECOND_US - sent_at) > window:
        raise bad_timestamp()
    digest = signature.verified(text, members, services.access.keys.secret(principal))
    if digest is None:
        attempts.note(right=False)
        raise bad_signature()
    if services.settings.scaleengine_strict_replay:
        good_until_us = int((sent_at + window + 1) * SECOND_US)
        if not replays.is_first(principal, digest, good_until_us):
            raise bad_timestamp()
    return principal


def _within(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_within(each, levels - 1) for each in inner)


def _holder(services: Services, members: Members) -> Principal:
    api_key, cdn = members.get(API_KEY), _cdn(members)
    if not isinstance(api_key, str) or not api_key or cdn is None:
        raise unreadable()
    principal = services.access.keys.authenticate("scaleengine", api_key)
    if principal is None or principal.details.get("cdn") != cdn:
        attempts.note(right=False)
        raise unreadable()
    return principal


def _cdn(members: Members) -> int | None:
    """The CDN number from `cdn` or `cdn_id`, both of which the vendor's page uses; two must be equal."""
    given = [members[name] for name in (CDN, CDN_ID) if members.get(name) is not None]
    numbers = {whole_number(each) for each in given}
    return numbers.pop() if len(numbers) == 1 else None


def _timestamp(members: Members) -> int | None:
    """Unix seconds."""
    value = members.get(TIMESTAMP)
    if isinstance(value, float) and math.isfinite(value):
        return math.floor(value)
    return whole_number(value)
