"""Every operation of the native API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airtally.api.exports.routes import ExportResource
from airtally.api.operation import Operation, operations_of
from airtally.api.query import QueryResource
from airtally.api.resources.account_exports import AccountExportResource
from airtally.api.resources.accounts import AccountResource
from airtally.api.resources.alarms import AlarmResource
from airtally.api.resources.audit import AuditResource
from airtally.api.resources.connections import ConnectionResource
from airtally.api.resources.doctor import DoctorResource
from airtally.api.resources.documents import DocumentResource
from airtally.api.resources.erasures import ClosingResource, ErasureResource
from airtally.api.resources.jobs import JobResource
from airtally.api.resources.keys import KeyResource
from airtally.api.resources.lake import LakeResource
from airtally.api.resources.overview import OverviewResource
from airtally.api.resources.quarantine import QuarantineResource
from airtally.api.resources.records import RecordResource
from airtally.api.resources.reports import ReportResource
from airtally.api.resources.schedules import ScheduleResource
from airtally.api.resources.slate import SlateResource
from airtally.api.resources.slate_catalogue import SlateCatalogueResource
from airtally.api.resources.status import StatusResource
from airtally.api.resources.streams import StreamResource
from airtally.api.resources.tokens import TokenResource
from airtally.api.resources.usage import UsageResource
from airtally.api.resources.users import UserResource
from airtally.api.resources.webhooks import WebhookResource
from airtally.api.sql import SqlResource
from airtally.services import Services

#: The classes that declare operations, by tag, in the order of the OpenAPI document.
RESOURCES: Mapping[str, tuple[Callable[[Services], Any], ...]] = {
    "Questions": (QueryResource, SqlResource),
    "Exports": (ExportResource,),
    "Schedules": (ScheduleResource,),
    "Overview": (OverviewResource,),
    "Streams": (StreamResource, RecordResource),
    "Accounts": (AccountResource, ClosingResource, AccountExportResource),
    "Users": (TokenResource, UserResource),
    "Keys": (KeyResource,),
    "Connections": (ConnectionResource,),
    "Quarantine": (QuarantineResource,),
    "Webhooks": (WebhookResource,),
    "Alarms": (AlarmResource,),
    "Reports": (ReportResource,),
    "Jobs": (JobResource,),
    "Usage": (UsageResource,),
    "Slate": (SlateResource, SlateCatalogueResource),
    "Erasures": (ErasureResource,),
    "Audit": (AuditResource,),
    "Status": (StatusResource,),
    "Lake": (LakeResource,),
    "Doctor": (DoctorResource,),
}


def native_operations(services: Services) -> list[Operation]:
    """In the order of the OpenAPI document."""
    found = [
        operation
        for tag, resources in RESOURCES.items()
        for resource in resources
        for operation in operations_of(resource(services), tag)
    ]
    documents = DocumentResource(services, lambda: found)
    found += operations_of(documents, "Documents")
    return found
