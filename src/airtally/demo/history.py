"""What people and programs have done in an account of the demo: each by the call that they make, done by the workers."""

from __future__ import annotations

import secrets as random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from airtally.accounts.accounts import Account
from airtally.accounts.acting import Actor, ActorKind, acting, current_actor
from airtally.accounts.keys import KeyOptions
from airtally.accounts.permissions import UserRole
from airtally.alarms.alarm import GrowingQuarantine, LateWork, SilentStream
from airtally.demo.home import Demo, Tenant
from airtally.demo.partner import PartnerAddresses
from airtally.demo.refused import refused_files
from airtally.demo.world import World
from airtally.exports.export import ExportState
from airtally.exports.spec import AskedRows, ExportFormat, ExportSpec
from airtally.kit.errors import Conflict
from airtally.kit.time import DAY_US
from airtally.reports.outbox import DeliveryState
from airtally.reports.report import ReportState
from airtally.reports.requests import PlayFilter, ReportRequest
from airtally.reports.service import JOB_KIND
from airtally.schedules.service import ScheduleSpec
from airtally.schedules.states import UNENDED_RUNS
from airtally.schedules.wanted import AskedPlays, DeliverTo, Product
from airtally.services import Services
from airtally.streams import STREAMS

_PATIENCE_SECONDS = 120.0
_LAST_STEP = "alarms"
_PEOPLE = {"Paula Reis": UserRole.ADMIN, "Joana Prado": UserRole.VIEWER, "Sam Lee": UserRole.VIEWER}
#: States of reports, exports, deliveries and runs on which somebody works.
_UNENDED = frozenset[str](
    {
        *(ReportState.WAITING, ExportState.QUEUED, ExportState.RUNNING, DeliveryState.DUE, DeliveryState.SENDING),
        *UNENDED_RUNS,
    }
)
_PLAYS_BY_PLAYER = {"stream": "playlogs", "metrics": ["count"], "dimensions": ["player_id"], "range": "yesterday"}
_SPEND_BY_COUNTRY = {
    "stream": "ad_events",
    "metrics": ["sum(count) as events", "sum(spend) as spend"],
    "dimensions": ["country"],
    "range": "last 30 days",
}


@dataclass(frozen=True)
class DemoHistory:
    """Of one account. A step that is done is noted in the tenant's `done`; one that was cut off is done again."""

    services: Services
    account: Account
    world: World
    partner: PartnerAddresses
    folder: Path
    small: bool

    @property
    def steps(self) -> Mapping[str, Callable[[], None]]:
        """In the order in which they are done; a small account has less to tell."""
        found: dict[str, Callable[[], None]] = {
            "reports": self.ask_for_reports,
            "schedules": self.add_schedules,
            "exports": self.ask_for_exports,
            "refused rows": self.send_wrong_rows,
            "people": self.add_people,
            "keys": self.add_keys,
            _LAST_STEP: self.add_alarms,
        }
        if self.small:
            return {name: found[name] for name in ("refused rows", _LAST_STEP)}
        return found

    def add_people(self) -> None:
        """An admin, and two viewers of whom one is made an admin later."""
        users, slug = self.services.access.users, self.account.slug.split("-")[0]
        known = {each.username for each in users.all(self.account)}
        for name, role in _PEOPLE.items():
            username = f"{name.split()[0].lower()}.{slug}"
            if username not in known:
                email, password = f"{username}@example.com", random.token_urlsafe(12)
                users.create(self.account, username=username, name=name, email=email, password=password, role=role)
        users.change(f"sam.{slug}", role=UserRole.ADMIN)

    def add_keys(self) -> None:
        """One that is in use, and one that was revoked."""
        keys = self.services.access.keys
        keys.create(self.account, "native", KeyOptions(scopes=frozenset({"read"}), name="Board of figures in the hall"))
        made = keys.create(
            self.account, "native", KeyOptions(scopes=frozenset({"write"}), name="Old import of Network B")
        )
        keys.revoke(made.id, self.account)

    def send_wrong_rows(self) -> None:
        """Through the same door as all rows: the quarantine keeps them, each with its reason."""
        for file in refused_files(self.world.now_us, self.world.ads.ad_groups[0].id):
            path = file.write(self.folder)
            self.services.intake.files.load(STREAMS[file.stream], self.account, path)
            path.unlink()

    def add_alarms(self) -> None:
        """The first fires at its first check, as there are refused rows."""
        alarms = self.services.alarms.alarms
        alarms.create(self.account, "Rows are refused", GrowingQuarantine(rows=10, within_seconds=86_400))
        alarms.create(self.account, "Players are silent", SilentStream("playlogs", after_seconds=7_200))
        alarms.create(self.account, "Deliveries are late", LateWork(after_seconds=1_800))

    def ask_for_reports(self) -> None:
        """One whose notice nobody takes, one whose notice is taken, one without, and one that is cancelled."""
        days, campaign = _two_days(self.world), [each.media_id for each in self.world.playlogs.network.medias[:3]]
        spots = _plays_of(*days, media_id=tuple(campaign))
        for wanted in (
            ReportRequest(spots, webhook=f"{self.partner.closed}/reports"),
            ReportRequest(_plays_of(days[1], days[1]), webhook=f"{self.partner.answers}/reports"),
            ReportRequest(_plays_of(*days, player_id=(1, 2))),
        ):
            self.services.reports.create(self.account, wanted)
        self._cancel(self.services.reports.create(self.account, ReportRequest(_plays_of(*days))).id)

    def ask_for_exports(self) -> None:
        rows = AskedRows("ad_events", range="yesterday")
        for name, spec in (
            ("rows", ExportSpec(rows=rows, format=ExportFormat.PARQUET)),
            ("figures", ExportSpec(query=dict(_SPEND_BY_COUNTRY))),
        ):
            self.services.exports.exports.create(
                self.account, spec, requested_by=str(current_actor()), key=f"demo {name}"
            )

    def add_schedules(self) -> None:
        """A daily one with three runs, told to an endpoint, and a weekly one that is paused."""
        schedules = self.services.schedules.schedules
        wanted = ("schedule.delivered", "schedule.failed")
        self.services.webhooks.endpoints.create(
            self.account, f"{self.partner.answers}/deliveries", description="The partner's inbox", event_types=wanted
        )
        product = Product(export=ExportSpec(query=dict(_PLAYS_BY_PLAYER)))
        spec = ScheduleSpec(
            name="Plays of the day", cron="30 6 * * *", product=product, deliver=DeliverTo(webhooks=True)
        )
        daily = schedules.create(self.account, spec, requested_by=str(current_actor()))
        for days in (2, 1, 0):
            schedules.run_now(self.account, daily.id, self.services.clock.now_us() - days * DAY_US)
        weekly = ScheduleSpec(
            name="Plays of the week", cron="0 7 * * MON", product=Product(report=AskedPlays("last 7 days"))
        )
        made = schedules.create(self.account, weekly, requested_by=str(current_actor()))
        schedules.pause(self.account, made.id, "The partner is on holiday")

    def wait(self) -> None:
        """Until nothing is under way, or too long: the server goes on with what is left."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while self._under_way() and time.monotonic() < deadline:
            time.sleep(0.05)

    def _under_way(self) -> bool:
        services, account = self.services, self.account
        states = (
            *(each.status for each in services.reports.newest(account)),
            *(each.state for each in services.exports.exports.page(account)),
            *(each.state for each in services.deliveries.latest(account.id)),
            *(
                run.state
                for schedule in services.schedules.schedules.page(account)
                for run in services.schedules.runs.page(account, schedule.id)
            ),
        )
        return not _UNENDED.isdisjoint(states)

    def _cancel(self, report_id: int) -> None:
        job = self.services.jobs.find(JOB_KIND, str(report_id))
        if job is not None:
            try:
                self.services.job_control().cancel(job)
            except Conflict:
                return  # it was done before


def is_told(demo: Demo) -> bool:
    """Whether the history of every account is complete."""
    return all(_LAST_STEP in tenant.done for tenant in demo.tenants)


def add_history(demo: Demo, services: Services, home: Path, partner: PartnerAddresses) -> None:
    """Do what is not done yet in each account; the workers of the caller do what is asked of them meanwhile."""
    folder = home / "demo-files"
    folder.mkdir(exist_ok=True)
    begun = []
    for tenant in demo.tenants:
        account = services.access.accounts.by_slug(tenant.slug)
        small = tenant is not demo.tenants[0]
        begun.append(DemoHistory(services, account, demo.world(tenant, account), partner, folder, small))
        _do_steps(demo, tenant, begun[-1], home)
    for history in begun:
        history.wait()


def _do_steps(demo: Demo, tenant: Tenant, history: DemoHistory, home: Path) -> None:
    """Those that are left."""
    with acting(Actor(ActorKind.USER, f"paula.{tenant.slug.split('-')[0]}", "203.0.113.24")):
        for name, step in history.steps.items():
            if name not in tenant.done:
                step()
                tenant.done.append(name)
                demo.save(home)


def _two_days(world: World) -> tuple[str, str]:
    last = world.playlogs.end_day - timedelta(days=1)
    return f"{last - timedelta(days=1)}", f"{last}"


def _plays_of(first: str, last: str, *, media_id: tuple[int, ...] = (), player_id: tuple[int, ...] = ()) -> PlayFilter:
    return PlayFilter(first, "00:00:00", last, "23:59:59", media_id, player_id)
