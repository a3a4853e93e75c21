"""Every operation of the native API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airtally.api.operation import Operation, operations_of
from airtally.api.query import QueryResource
from airtally.api.resources.accounts import AccountResource
from airtally.api.resources.audit import AuditResource
from airtally.api.resources.keys import KeyResource
from airtally.api.resources.slate import SlateResource
from airtally.api.resources.tokens import TokenResource
from airtally.api.resources.users import UserResource
from airtally.api.sql import SqlResource
from airtally.services import Services

#: The classes that declare operations, by tag, in the order of the OpenAPI document.
RESOURCES: Mapping[str, tuple[Callable[[Services], Any], ...]] = {
    "Questions": (QueryResource, SqlResource),
    "Accounts": (AccountResource,),
    "Users": (TokenResource, UserResource),
    "Keys": (KeyResource,),
    "Slate": (SlateResource,),
    "Audit": (AuditResource,),
}


def native_operations(services: Services) -> list[Operation]:
    """In the order of the OpenAPI document."""
    return [
        operation
        for tag, resources in RESOURCES.items()
        for resource in resources
        for operation in operations_of(resource(services), tag)
    ]
