"""The methods that read: statistics are asked for, then fetched.

Pushwoosh contract, sections 4, 5 and 9.
"""

from __future__ import annotations

from airtally.vendors.pushwoosh.call import Method

READ_METHODS: dict[str, Method] = {}
