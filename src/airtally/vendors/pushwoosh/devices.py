"""The methods that write: devices, their tags and what their users do.

Pushwoosh contract, section 8.
"""

from __future__ import annotations

from airtally.vendors.pushwoosh.call import Method

WRITE_METHODS: dict[str, Method] = {}
