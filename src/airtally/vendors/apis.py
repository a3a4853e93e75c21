"""The vendors' APIs that one host serves. Whoever adds one adds it here, and a page to docs/vendors/."""

from __future__ import annotations

from airtally.vendors.fouryousee.routes import API as FOURYOUSEE
from airtally.vendors.pushwoosh.routes import API as PUSHWOOSH
from airtally.vendors.scaleengine.routes import API as SCALEENGINE
from airtally.vendors.slate.routes import API as SLATE
from airtally.vendors.tapjoy.routes import API as TAPJOY

#: The first whose prefix matches owns a path: Tapjoy's below `/v1/` stand before 4YouSee's `/v1/`.
APIS = (TAPJOY, FOURYOUSEE, SLATE, SCALEENGINE, PUSHWOOSH)
