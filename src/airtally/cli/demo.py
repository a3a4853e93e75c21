"""`airtally demo`: sample accounts, keys and some million events in a fresh home, then serve."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.progress import Progress

from airtally.accounts.accounts import Account
from airtally.cli.common import command
from airtally.cli.serve import serve
from airtally.demo.home import Demo, Tenant, fill, open_home
from airtally.kit import logs
from airtally.kit.clock import SystemClock
from airtally.runtime import Role, open_services
from airtally.settings import Settings

DEFAULT_HOME = "airtally-demo"
_REPORT_DAYS = 7


@command
def demo(
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    rows: Annotated[int, Parameter(help="playlogs of the larger account, in a fresh home")] = 3_000_000,
    days: Annotated[int, Parameter(help="days they cover, in a fresh home")] = 31,
    log_level: Annotated[str, Parameter(help="debug, info, warning or error")] = "warning",
    serve_after: Annotated[bool, Parameter(name="--serve", help="serve when the home is filled")] = True,
) -> None:
    """Make or open a demo home (AIRTALLY_HOME, or ./airtally-demo), say what can be tried, and serve it."""
    logs.configure(log_level)
    os.environ.setdefault("AIRTALLY_HOME", DEFAULT_HOME)
    settings = Settings.from_env()
    made = open_home(settings.home, SystemClock().now_us(), rows, days)
    accounts = _fill(made, settings)
    address = settings.public_url or f"http://{host}:{port}"
    Console(soft_wrap=True, highlight=False, markup=False).print(welcome(made, accounts, address, settings.home))
    if serve_after:
        serve(host=host, port=port, log_level=log_level)


def _fill(made: Demo, settings: Settings) -> dict[str, Account]:
    services = open_services(settings, role=Role.NONE)
    try:
        with Progress(transient=True) as bar:
            tasks = {tenant.slug: bar.add_task(f"Loading {tenant.slug}", total=None) for tenant in made.tenants}
            fill(made, services, settings.home, lambda slug, at, of: bar.update(tasks[slug], completed=at, total=of))
        return {tenant.slug: services.accounts.by_slug(tenant.slug) for tenant in made.tenants}
    finally:
        services.close()


def welcome(made: Demo, accounts: dict[str, Account], address: str, home: Path) -> str:
    """The address, who is there, and what to try."""
    parts = [f"\nAirtally at {address}, its home in {home}\n"]
    parts += [_tenant(made, tenant, accounts[tenant.slug], address) for tenant in made.tenants]
    parts.append(_try(made, accounts[made.tenants[0].slug], address))
    return "\n".join(parts)


def _tenant(made: Demo, tenant: Tenant, account: Account, address: str) -> str:
    playlogs = made.playlogs(tenant, account)
    first = playlogs.end_day.fromordinal(playlogs.end_day.toordinal() - made.days + 1)
    return (
        f"{tenant.slug}  ({tenant.name}, {tenant.timezone}): {tenant.rows:,} playlogs "
        f"of {len(playlogs.network.players)} players, {first} to {playlogs.end_day}\n"
        f"  4YouSee token  {tenant.secret_token}\n"
        f"  native key     {tenant.native_token}\n"
        f"  pages          {address}/admin/reports_api.php  user {tenant.username}, password {tenant.password}\n"
    )


def _try(made: Demo, account: Account, address: str) -> str:
    tenant = made.tenants[0]
    first, last = made.last_full_days(tenant, account, _REPORT_DAYS)
    token = f"-H 'Secret-Token: {tenant.secret_token}'"
    latest = f"curl -s {token} '{address}/v1/reports?sort=-id&limit=1'"
    link = "import json,sys; print(json.load(sys.stdin)['results'][0]['url'])"
    play = f'{{"player_id":2,"media_id":51,"played_at":"{last}T23:59:59"}}'
    return (
        "Try, in another terminal: ask for a report of a week, fetch it, send a play of your own\n\n"
        f"""  curl -s {token} {address}/v1/reports -d '{{"filter":{{"startDate":"{first}","endDate":"{last}"}}}}'\n\n"""
        f"""  curl -s "$({latest} | python3 -c "{link}")" | gunzip | head\n\n"""
        f"  curl -s -H 'Authorization: Bearer {tenant.native_token}' -H 'Content-Type: application/x-ndjson' "
        f"{address}/api/v1/streams/playlogs/events -d '{play}'\n\n"
        f"Players, medias and users: {address}/v1/players, /v1/medias, /v1/users with the same token. "
        "Stop with Ctrl-C; the next start goes on with the same data.\n"
    )
