"""The APIs that clients connect to, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Mapping

from airtally.api.native_connection import CONNECTION as NATIVE
from airtally.connect.connection import ApiConnection
from airtally.vendors.apis import APIS

_OF_VENDORS = sorted((api.connection for api in APIS if api.connection is not None), key=lambda each: each.title)
CONNECTIONS: Mapping[str, ApiConnection] = {each.name: each for each in (NATIVE, *_OF_VENDORS)}
