"""Calls that a newcomer can paste into a shell: one of each vendor at least."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta

from airtally.accounts.accounts import Account
from airtally.demo.home import Demo, Tenant
from airtally.demo.keys import GROUP, dataset_id
from airtally.demo.world import World
from airtally.runtime import Services

_REPORT_DAYS = 7


@dataclass(frozen=True, slots=True)
class Call:
    """`says` what it asks for; `command` is one line for a shell with curl, python3 and openssl."""

    says: str
    command: str


def calls(demo: Demo, tenant: Tenant, services: Services, address: str) -> list[Call]:
    """In the order in which they can be tried."""
    account = services.accounts.by_slug(tenant.slug)
    measured = demo.world(tenant, account)
    [above, *_] = services.catalogue.accounts(account).items
    return [
        *_fouryousee(demo, tenant, account, address),
        _tapjoy(tenant, measured, address),
        _scaleengine(tenant, measured, address),
        *_slate(tenant, measured, above.id, address),
        _pushwoosh(tenant, measured, address),
        _native(tenant, measured.playlogs.end_day - timedelta(days=1), address),
    ]


def _read(path: str) -> str:
    """A program that prints one member of the JSON it reads."""
    return f"python3 -c 'import json,sys; print(json.load(sys.stdin){path})'"


def _fouryousee(demo: Demo, tenant: Tenant, account: Account, address: str) -> list[Call]:
    first, last = demo.last_full_days(tenant, account, _REPORT_DAYS)
    token = f"-H 'Secret-Token: {tenant.access.shown('fouryousee', 'secret_token')}'"
    wanted = f'{{"filter":{{"startDate":"{first}","endDate":"{last}"}}}}'
    link = _read('["results"][0]["url"]')
    latest = f"curl -s {token} '{address}/v1/reports?sort=-id&limit=1' | {link}"
    return [
        Call("4YouSee: ask for a report of a week", f"curl -s {token} {address}/v1/reports -d '{wanted}'"),
        Call("4YouSee: fetch it, some seconds later", f'curl -s "$({latest})" | gunzip | head'),
    ]


def _tapjoy(tenant: Tenant, measured: World, address: str) -> Call:
    key = tenant.access.shown("tapjoy", "reporting_api_key")
    read = _read('["access_token"]')
    token = f"curl -s -X POST -H 'Authorization: Basic {key}' {address}/v1/oauth2/token | {read}"
    group = measured.ads.ad_groups[0].id
    asked = f"{address}/v1/ad_groups/{group}/insights?time_preset=yesterday&breakdowns=country_code"
    return Call(
        "Tapjoy: yesterday of the launched game by country",
        f"""curl -s -H "Authorization: Bearer $({token})" '{asked}'""",
    )


def _scaleengine(tenant: Tenant, measured: World, address: str) -> Call:
    of = tenant.access.keys["scaleengine"]
    app, _ = measured.setting.apps[0]
    head = (
        f'{{"command":"viewer.log","cdn":{of["cdn"]},"api_key":"{of["api_key"]}","app":"{app}","graph":1,"timestamp":'
    )
    sign = f'printf %s "$J" | openssl dgst -sha256 -hmac {of["secret_key"]} -binary | base64'
    signed = """"json=${J%?},\\"signature\\":\\"$(""" + sign + ''')\\"}"'''
    return Call(
        "ScaleEngine: viewers of the last six hours, signed",
        f"""J='{head}'$(date +%s)'}}'; curl -s {address}/stable/ --data-urlencode {signed}""",
    )


def _slate(tenant: Tenant, measured: World, slate_account: str, address: str) -> list[Call]:
    bearer = f"-H 'Authorization: Bearer {tenant.access.shown('slate', 'access_token')}'"
    business = measured.setting.businesses[0]
    path = f"{slate_account}/{GROUP}/{business.id}/datasets/{dataset_id(business, 'subscriptions')}"
    link = _read('["data"][0]["downloadUrl"]')
    listing = f"curl -s {bearer} '{address}/apis/v2/accounts/{path}?limit=1' | {link}"
    return [
        Call("Slate: the accounts that can be reached", f"curl -s {bearer} {address}/apis/v2/accounts"),
        Call("Slate: the first file of subscription events", f'curl -s "$({listing})" | head -3'),
    ]


def _pushwoosh(tenant: Tenant, measured: World, address: str) -> Call:
    auth = tenant.access.shown("pushwoosh", "auth")
    day: date = measured.today - timedelta(days=1)
    asked = {
        "auth": auth,
        "application": measured.applications.codes[0],
        "event": "CartOpen",
        "date_from": f"{day}",
        "date_to": f"{day}",
        "attributes": [{"name": "source", "operator": "EQ", "values": ["push"]}],
    }
    schedule = f"curl -s {address}/json/1.3/getEventStatistics -d '{json.dumps({'request': asked})}'"
    read = _read('["response"]["request_id"]')
    results = f"""'{{"request":{{"auth":"{auth}","request_id":"'$({schedule} | {read})'"}}}}'"""
    return Call(
        "Pushwoosh: carts opened from a push, yesterday by the hour",
        f"curl -s {address}/json/1.3/getResults -d {results}",
    )


def _native(tenant: Tenant, day: date, address: str) -> Call:
    play = f'{{"player_id":2,"media_id":51,"played_at":"{day}T23:59:59"}}'
    return Call(
        "Send a play of your own",
        f"curl -s -H 'Authorization: Bearer {tenant.access.shown('native', 'token')}' "
        f"-H 'Content-Type: application/x-ndjson' {address}/api/v1/streams/playlogs/events -d '{play}'",
    )
