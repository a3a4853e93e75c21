"""Every method of the API, by the name in its path."""

from __future__ import annotations

from airtally.vendors.pushwoosh.call import Method
from airtally.vendors.pushwoosh.devices import WRITE_METHODS
from airtally.vendors.pushwoosh.statistics import READ_METHODS

METHODS: dict[str, Method] = {**READ_METHODS, **WRITE_METHODS}

#: A published shop module sends device calls without the wrapper `request`.
WRAPPED = frozenset(READ_METHODS)
