"""The Tapjoy insights API at `/v1/oauth2/` and `/v1/ad_groups`, for clients that change only their base URL."""

from __future__ import annotations

from typing import Any

from airtally.runtime import Services


def routes(services: Services) -> list[Any]:  # noqa: ARG001 (to come)
    """The handlers, for the application to mount."""
    return []
