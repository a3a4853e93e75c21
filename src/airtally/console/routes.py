"""Every page of the console. Whoever adds one adds its class here, and its entry to navigation.py."""

from __future__ import annotations

from collections.abc import Sequence

from litestar import Router

from airtally.api.operation import Operation
from airtally.console import assets, first_start, login, one_time
from airtally.console.account import AccountPages
from airtally.console.api_page import ApiPages
from airtally.console.connect import ConnectPages
from airtally.console.declared import ConsolePage, pages_of
from airtally.console.delivery.alarms import AlarmPages
from airtally.console.delivery.datasets import DatasetPages
from airtally.console.delivery.deliveries import DeliveryPages
from airtally.console.delivery.exports import ExportPages
from airtally.console.delivery.reports import ReportPages
from airtally.console.delivery.schedules import SchedulePages
from airtally.console.delivery.webhooks import WebhookPages
from airtally.console.docs_site import docs_routes
from airtally.console.explore.pages import ExplorePages
from airtally.console.jobs import JobPages
from airtally.console.keys import KeyPages
from airtally.console.operations import ConsoleOperations
from airtally.console.overview import OverviewPages
from airtally.console.quarantine import QuarantinePages
from airtally.console.serving import page_routes
from airtally.console.sql_page import SqlPages
from airtally.console.status import StatusPages
from airtally.console.usage import UsagePages
from airtally.console.users import UserPages
from airtally.services import Services

#: Classes that declare pages.
PAGES = (
    OverviewPages,
    ExplorePages,
    SqlPages,
    *(ReportPages, DatasetPages, ExportPages, SchedulePages, WebhookPages, DeliveryPages, AlarmPages),
    AccountPages,
    QuarantinePages,
    ConnectPages,
    KeyPages,
    UserPages,
    UsagePages,
    JobPages,
    ApiPages,
    StatusPages,
)


def console_pages(operations: Sequence[Operation]) -> list[ConsolePage]:
    """The pages and forms for people who are logged in; they call the operations."""
    called = ConsoleOperations(operations)
    return pages_of([each(called) for each in PAGES])


def routes(services: Services, operations: Sequence[Operation]) -> list[Router]:
    """The handlers, for the application to mount."""
    open_to_all = (*assets.routes(), *docs_routes(), *one_time.routes(services), *first_start.routes(services))
    return [*open_to_all, *login.routes(services), *page_routes(console_pages(operations), services)]
