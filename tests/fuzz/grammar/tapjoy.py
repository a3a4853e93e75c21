"""The Tapjoy insights API, with its token and its legacy report (docs/vendors/tapjoy.md)."""

from __future__ import annotations

import base64
from datetime import timedelta

from fuzz.case import Case
from fuzz.grammar.draft import Draft
from fuzz.values import ZONES, day, moment, plain_nasty


def draw(draft: Draft) -> Case:
    kind = draft.chance.randrange(8)
    if kind == 0:
        return _token(draft)
    return _legacy(draft) if kind < 3 else _insights(draft)


def _token(draft: Draft) -> Case:
    chance, key = draft.chance, draft.key(lambda of: of.key("tapjoy", "reporting_api_key"))
    encoded = base64.b64encode(key.encode("utf-8", "replace")).decode()
    shown = chance.of(key, encoded, f"{key}:", f"{encoded}=") if draft.spoiled else key
    headers = [
        (b"Authorization", f"{chance.of('Basic', 'basic', 'Basic', 'Bearer')} {shown}".encode("utf-8", "replace"))
    ]
    return draft.case(b"POST", "/v1/oauth2/token", headers=headers, body=chance.of(b"", b"grant_type=x", b"\xff{"))


def _insights(draft: Draft) -> Case:
    chance = draft.chance
    token = draft.key(lambda of: f"<<{of.letter}.token.tapjoy>>")
    times = [("time_preset", chance.of("today", "yesterday", "last_week"))]
    if chance.one_in(2):
        first = draft.today - timedelta(days=chance.randrange(1, 9))
        zone = chance.of("Z", "", "+05:30", "-04:00")
        times = [("start_time", f"{first}T00:00:00{zone}"), ("end_time", f"{first + timedelta(days=2)}T00:00:00{zone}")]
    if draft.spoiled and chance.one_in(2):
        times = [("start_time", moment(chance, draft.today)), ("end_time", moment(chance, draft.today, 2))]
    query = [
        *times,
        ("time_increment", chance.of(None, "hourly", "daily")),
        ("breakdowns", chance.of(None, "country_code")),
    ]
    group = str(draft.own(lambda of: of.groups))
    path = f"/v1/ad_groups/{group.upper() if chance.one_in(4) else group}/insights"
    headers = [(b"Authorization", f"Bearer {token}".encode("utf-8", "replace"))]
    return draft.case(b"GET", path, query=draft.pairs(query), headers=headers)


def _legacy(draft: Draft) -> Case:
    chance = draft.chance
    field = chance.of("legacy_api_key", "reporting_api_key")
    query = [
        ("email", draft.key(lambda of: of.key("tapjoy", "email"))),
        ("api_key", draft.key(lambda of: of.key("tapjoy", field))),
        ("date", chance.of(None, day(chance, draft.today))),
        ("timezone", chance.of(None, 0, -8, "+5", 14, chance.choice(ZONES), "-13", "1e1")),
        ("page", chance.of(None, 1, 2, "0", "-1")),
        ("page_size", chance.of(None, 1, 50, 1000, plain_nasty(chance))),
        ("all_offers", chance.of(None, 1)),
    ]
    return draft.case(b"GET", "/reporting_data.json", query=draft.pairs(query))
