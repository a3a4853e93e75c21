"""Writes sample calls that a newcomer can paste into a shell, at least one for each vendor's API.

Keys and addresses are long, so a file in the home holds them and each call reads it first. No line is longer than
LONGEST characters, unless the path of the home is too long.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from airtally.accounts.accounts import Account
from airtally.demo.home import Demo, Tenant
from airtally.demo.keys import GROUP, dataset_id
from airtally.demo.world import World
from airtally.services import Services
from airtally.vendors.slate.services import slate_services

#: The file in the home that holds keys and addresses.
NAMES = "calls.sh"
LONGEST = 120
_REPORT_DAYS = 7


@dataclass(frozen=True, slots=True)
class SampleCall:
    """`says` describes the call; `lines` are for a shell with curl, python3 and openssl."""

    says: str
    lines: tuple[str, ...]


def write_names(tenant: Tenant, home: Path, address: str) -> Path:
    """Write the shell variables and the function that the calls use: the address, the account's keys, a JSON reader."""
    shown, cdn = tenant.access.shown, tenant.access.keys["scaleengine"]
    names = {
        "url": address,
        "fouryousee": f"Secret-Token: {shown('fouryousee', 'secret_token')}",
        "reporting_api_key": shown("tapjoy", "reporting_api_key"),
        "slate": f"Authorization: Bearer {shown('slate', 'access_token')}",
        "auth": f'"auth":"{shown("pushwoosh", "auth")}"',
        "native": f"Authorization: Bearer {shown('native', 'token')}",
        **{name: str(cdn[name]) for name in ("cdn", "api_key", "secret_key")},
    }
    lines = [f"# Variables for the calls that `airtally demo` prints: the keys of {tenant.slug}"]
    lines += [f"{name}={shlex.quote(value)}" for name, value in names.items()]
    lines.append('json() { python3 -c "import json, sys; print(json.load(sys.stdin)$1)"; }  # one member of an answer')
    path = home.absolute() / NAMES
    path.touch(mode=0o600)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def calls(demo: Demo, tenant: Tenant, services: Services, names: Path) -> list[SampleCall]:
    """The calls in the order in which to try them; each can be pasted by itself."""
    account = services.access.accounts.by_slug(tenant.slug)
    measured = demo.world(tenant, account)
    [above, *_] = slate_services(services).catalogue.accounts(account).items
    found = [
        *_fouryousee(demo, tenant, account),
        _tapjoy(measured),
        _scaleengine(measured),
        *_slate(measured, above.id),
        _pushwoosh(measured),
        _native(measured.playlogs.end_day - timedelta(days=1)),
    ]
    return [SampleCall(call.says, (f". {shlex.quote(str(names))}", *call.lines)) for call in found]


def _fouryousee(demo: Demo, tenant: Tenant, account: Account) -> list[SampleCall]:
    first, last = demo.last_full_days(tenant, account, _REPORT_DAYS)
    wanted = f'{{"filter":{{"startDate":"{first}","endDate":"{last}"}}}}'
    ask = f"""curl -s -H "$fouryousee" $url/v1/reports -d '{wanted}'"""
    fetch = (
        """id=$(curl -s -H "$fouryousee" "$url/v1/reports?sort=-id&limit=1" | json '["results"][0]["id"]')""",
        """report() { curl -s -H "$fouryousee" $url/v1/reports/$id; }""",
        """while found=$(report) && echo "$found" | grep -qE '"status":"waiting"|Too many'; do sleep 2; done""",
        """curl -sS "$(echo "$found" | json '["url"]')" | gunzip | head""",
    )
    return [
        SampleCall("4YouSee: ask for a report of a week", (ask,)),
        SampleCall("4YouSee: fetch it as soon as it is done", fetch),
    ]


def _tapjoy(measured: World) -> SampleCall:
    group = measured.ads.ad_groups[0].id
    return SampleCall(
        "Tapjoy: yesterday of the launched game by country",
        (
            """basic="Authorization: Basic $reporting_api_key\"""",
            """token=$(curl -s -X POST -H "$basic" $url/v1/oauth2/token | json '["access_token"]')""",
            f"insights=$url/v1/ad_groups/{group}/insights",
            """curl -s -H "Authorization: Bearer $token" "$insights?time_preset=yesterday&breakdowns=country_code\"""",
        ),
    )


def _scaleengine(measured: World) -> SampleCall:
    app, _ = measured.setting.apps[0]
    return SampleCall(
        "ScaleEngine: viewers of the last six hours, signed",
        (
            f"""form='{{"command":"viewer.log","cdn":%s,"api_key":"%s","app":"{app}","graph":1,"timestamp":%s}}'""",
            'asked=$(printf "$form" $cdn $api_key $(date +%s))',
            'signature=$(printf %s "$asked" | openssl dgst -sha256 -hmac $secret_key -binary | base64)',
            r'curl -s $url/stable/ --data-urlencode "json=${asked%?},\"signature\":\"$signature\"}"',
        ),
    )


def _slate(measured: World, slate_account: str) -> list[SampleCall]:
    business = measured.setting.businesses[0]
    path = f"{slate_account}/{GROUP}/{business.id}/datasets/{dataset_id(business, 'subscriptions')}"
    return [
        SampleCall("Slate: the accounts that can be reached", ("""curl -s -H "$slate" $url/apis/v2/accounts""",)),
        SampleCall(
            "Slate: the first file of subscription events",
            (
                f"files=$url/apis/v2/accounts/{path}",
                """link=$(curl -s -H "$slate" "$files?limit=1" | json '["data"][0]["downloadUrl"]')""",
                'curl -sS "$link" | head -3',
            ),
        ),
    ]


def _pushwoosh(measured: World) -> SampleCall:
    day: date = measured.today - timedelta(days=1)
    of = f'"application":"{measured.applications.codes[0]}","date_from":"{day}","date_to":"{day}"'
    return SampleCall(
        "Pushwoosh: carts opened from a push, yesterday by the hour",
        (
            f"""of='{of}'""",
            """only='"event":"CartOpen","attributes":[{"name":"source","operator":"EQ","values":["push"]}]'""",
            """ask() { curl -s $url/json/1.3/$1 -d "{\\"request\\":{$auth,$2}}"; }""",
            """id=$(ask getEventStatistics "$of,$only" | json '["response"]["request_id"]')""",
            r"""results() { ask getResults "\"request_id\":\"$id\""; }""",
            """while results | grep -q '"status_code":420'; do sleep 1; done; results""",
        ),
    )


def _native(day: date) -> SampleCall:
    return SampleCall(
        "Send a play of your own",
        (
            f"""play='{{"player_id":2,"media_id":51,"played_at":"{day}T23:59:59"}}'""",
            "rows='Content-Type: application/x-ndjson'",
            """curl -s -H "$native" -H "$rows" $url/api/v1/streams/playlogs/events -d "$play\"""",
        ),
    )
