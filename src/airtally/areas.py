"""Which API owns a path: its error bodies, where callers present their key, and its largest body."""

from __future__ import annotations

from dataclasses import replace

from airtally.api import authorize, ingest, problems
from airtally.console import errors as console_errors
from airtally.vendors.apis import APIS
from airtally.web.areas import Area

#: A query with a list of 1 MiB of values takes up to three times as much as JSON.
QUESTION_BYTES = 4 << 20

SITE = Area("/", "site", console_errors.respond)
_NATIVE = Area("/api/v1/", "native", problems.respond, authorize.presented, QUESTION_BYTES, cross_origin=True)

#: Where a user logs in with a name and password, before there is a key.
_LOG_IN = Area("/api/v1/tokens", "native", problems.respond, cross_origin=True)

#: Files for whoever has their link: there is no key to be shown.
_DOWNLOADS = Area("/api/v1/downloads/", "native", problems.respond)

#: Rows for a stream, which `api/ingest.py` takes; AIRTALLY_BODY_MAX is how large their body may be.
INGEST = replace(_NATIVE, prefix=ingest.PREFIX, name="ingest")

#: The first area whose prefix matches owns a path; `SITE` owns all other paths.
AREAS = (_LOG_IN, _NATIVE, *(area for api in APIS for area in api.areas))


def area_of(path: str) -> Area:
    if path.startswith(INGEST.prefix) and path.endswith(ingest.SUFFIX):
        return INGEST
    for area in AREAS:
        if path.startswith(area.prefix) or path == area.prefix.rstrip("/"):
            return area
    return SITE
