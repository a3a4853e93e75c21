"""`airtally demo`: sample accounts, keys and some million events in a fresh home, then serve."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.progress import Progress

from airtally.background import asked_work, lake_care_of
from airtally.cli.common import command
from airtally.cli.listening import listen
from airtally.cli.remote import refuse_remote
from airtally.cli.serving import serve_on
from airtally.demo.calls import calls, write_names
from airtally.demo.history import add_history, is_told
from airtally.demo.home import MARKER, Demo, Tenant, fill, open_home
from airtally.demo.partner import ALLOWED, partner
from airtally.kit import logs
from airtally.kit.clock import SystemClock
from airtally.kit.errors import NotFound
from airtally.lake_care.actions import LakeAction
from airtally.runtime import open_services
from airtally.services import Role, Services
from airtally.settings import Settings

DEFAULT_HOME = "airtally-demo"
#: While the home is filled, tries of a notice that nobody takes follow each other quickly.
_RETRY_SECONDS = (0.2, 0.2, 0.2)


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
    """Fill or open a demo home (AIRTALLY_HOME, or ./airtally-demo), print calls to try, and serve it."""
    logs.configure(log_level)
    refuse_remote()
    os.environ.setdefault("AIRTALLY_HOME", DEFAULT_HOME)
    settings = Settings.from_env()
    with listen(host, port) as listening:  # before a load of minutes
        made = open_home(settings.home, SystemClock().now_us(), rows, days)
        words = _filled(made, settings, settings.public_url or listening.address.url)
        Console(soft_wrap=True, highlight=False, markup=False).print(words)
        if serve_after:
            serve_on(listening, settings)


def _filled(made: Demo, settings: Settings, address: str) -> str:
    """Fill the home, then say what is in it."""
    while_filled = settings.with_(public_url=address, outgoing_allow=ALLOWED, fouryousee_retry_seconds=_RETRY_SECONDS)
    services = open_services(while_filled, role=Role.NONE)
    try:
        _say(f"Loading sample rows into {settings.home}; this takes a minute or two, and the next start a moment")
        with Progress(transient=True) as bar:
            tasks = {tenant.slug: bar.add_task(f"Loading {tenant.slug}", total=None) for tenant in made.tenants}
            fill(made, services, settings.home, lambda slug, at, of: bar.update(tasks[slug], completed=at, total=of))
        if not is_told(made):
            _say("Compacting the lake, then asking for reports, publications and schedules as people would")
            _compact(services)
            _tell(made, services)
        return welcome(made, services, address)
    finally:
        services.close()


def _say(words: str) -> None:
    """To standard output at once, also where it is no terminal and no bar is shown."""
    print(words, flush=True)


def _compact(services: Services) -> None:
    """As the server does within minutes: until then SQL about all of a month's plays takes more memory than it may have."""
    for _ in lake_care_of(services).run(LakeAction.COMPACT, None):
        pass


def _tell(made: Demo, services: Services) -> None:
    """What people and programs have done; the workers of a server work on it meanwhile."""
    with ExitStack() as stopping:
        for each in asked_work(services):
            each.start()
            stopping.callback(each.stop)
        add_history(made, services, services.settings.home, stopping.enter_context(partner()))


def welcome(made: Demo, services: Services, address: str) -> str:
    """The address, who is there, and what to try."""
    home = services.settings.home
    parts = [f"\nAirtally at {address}, its home in {home}\n"]
    parts.append(
        f"Open the console, signed in as an operator (once, within a day):\n\n  {address}{_sign_in(made, services)}\n"
    )
    parts += [_tenant(made, tenant, services, address) for tenant in made.tenants]
    parts.append(f"All keys, those of Slate too, are in {home / MARKER}. Try, in another terminal:\n")
    names = write_names(made.tenants[0], home, address)
    for call in calls(made, made.tenants[0], services, names):
        parts.append("\n".join([call.says, "", *(f"  {line}" for line in call.lines), ""]))
    parts.append("Stop with Ctrl-C; the next start goes on with the same data.\n")
    return "\n".join(parts)


def _sign_in(made: Demo, services: Services) -> str:
    """The path of a link to the first account's overview; of the log-in page if somebody has deleted its user."""
    try:
        user = services.access.users.by_name(made.tenants[0].access.username)
    except NotFound:
        return "/login"
    return f"{services.access.links.make_sign_in_link(user).path}&next=/accounts/{user.account.slug}/overview"


def _tenant(made: Demo, tenant: Tenant, services: Services, address: str) -> str:
    measured = made.world(tenant, services.access.accounts.by_slug(tenant.slug))
    access, cdn = tenant.access, tenant.access.keys["scaleengine"]
    network = measured.playlogs.network
    return (
        f"{tenant.slug}  ({tenant.name}, {tenant.timezone}), {made.days} days until {measured.playlogs.end_day}:\n"
        f"  {tenant.rows:,} playlogs of {len(network.players)} players, {measured.ads.rows:,} ad events of "
        f"{measured.ads.groups} ad groups,\n  {measured.viewers.videos} videos on {len(measured.viewers.servers)} servers, "
        f"{measured.app_events.rows:,} events of {len(measured.applications.codes)} apps, "
        f"{len(measured.channels)} streaming channel{'s' if len(measured.channels) > 1 else ''}\n"
        f"  4YouSee token  {access.shown('fouryousee', 'secret_token')}\n"
        f"  Tapjoy key     {access.shown('tapjoy', 'reporting_api_key')}\n"
        f"  ScaleEngine    CDN {cdn['cdn']}, key {cdn['api_key']}, secret {cdn['secret_key']}\n"
        f"  Pushwoosh auth {access.shown('pushwoosh', 'auth')}\n"
        f"  native key     {access.shown('native', 'token')}\n"
        f"  console        {address}/login  user {access.username}, password {access.password}\n"
    )
