"""Who owns a path: its error bodies, where its callers say who they are, and how large a body it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from litestar import Request, Response

from airtally.api import authorize, problems
from airtally.console import errors as console_errors
from airtally.kit.errors import Failure
from airtally.vendors.fouryousee import auth as fouryousee_caller
from airtally.vendors.fouryousee import errors as fouryousee_errors
from airtally.vendors.fouryousee.choices import CHOICES as FOURYOUSEE
from airtally.vendors.pushwoosh import errors as pushwoosh_errors
from airtally.vendors.scaleengine import errors as scaleengine_errors
from airtally.vendors.slate import auth as slate_caller
from airtally.vendors.slate import errors as slate_errors
from airtally.vendors.tapjoy import auth as tapjoy_caller
from airtally.vendors.tapjoy import errors as tapjoy_errors
from airtally.web.callers import Reader

Responder = Callable[[Failure, Request[Any, Any, Any]], Response[Any]]

#: Where the caller is named in the body, or nowhere, this much of it is read of anybody.
ANYBODY_BYTES = 1 << 20
#: A question with a list of 1 MiB of values takes up to thrice as much as JSON.
QUESTION_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Area:
    """`presented` reads the caller's credential from the headers: without a right one no body is read. None: the
    credential stands in the body, or there is none. `body_bytes` is the longest body.
    """

    prefix: str
    name: str
    respond: Responder
    presented: Reader | None = None
    body_bytes: int = ANYBODY_BYTES


SITE = Area("/", "site", console_errors.respond)
_NATIVE = Area("/api/v1/", "native", problems.respond, authorize.presented, QUESTION_BYTES)

#: The first match counts.
AREAS = (
    _NATIVE,
    Area("/v1/oauth2/", "tapjoy", tapjoy_errors.respond),
    Area("/v1/ad_groups", "tapjoy", tapjoy_errors.respond, tapjoy_caller.presented),
    Area(tapjoy_errors.LEGACY_PATH, "tapjoy", tapjoy_errors.respond),
    Area("/v1/", "fouryousee", fouryousee_errors.respond, fouryousee_caller.presented, FOURYOUSEE.body_bytes),
    Area("/admin/reports_api.php", "fouryousee", fouryousee_errors.respond),
    Area("/apis/v2/", "slate", slate_errors.respond, slate_caller.presented),
    Area("/auth/o2/token", "slate", slate_errors.respond),
    Area("/stable/", "scaleengine", scaleengine_errors.respond),
    Area("/dev/", "scaleengine", scaleengine_errors.respond),
    Area("/json/1.3/", "pushwoosh", pushwoosh_errors.respond),
)


def area_of(path: str) -> Area:
    for area in AREAS:
        if path.startswith(area.prefix) or path == area.prefix.rstrip("/"):
            return area
    return SITE
