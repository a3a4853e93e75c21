"""Behaviour that the vendor's documentation leaves open, as values in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

HOUR_S = 3600
DAY_S = 24 * HOUR_S


@dataclass(frozen=True, slots=True)
class TapjoyChoices:
    """docs/vendors/tapjoy.md marks what these decide with †. Lengths and offsets in seconds."""

    default_preset: str = "today"
    default_increment: str = "daily"
    increments: Mapping[str, int] = field(default_factory=lambda: {"hourly": HOUR_S, "daily": DAY_S})
    breakdowns: tuple[str, ...] = ("country_code",)
    years_back: int = 2
    least_offset: int = -12 * HOUR_S
    largest_offset: int = 14 * HOUR_S
    token_bytes: int = 64  # 88 characters of Base64
    expires_in: int = 3600
    unauthorized: str = "Unauthorized"
    foreign: str = "Unauthorized"
    not_found: str = "Not found"
    #: By country more buckets than these are sent as they are written, and not kept.
    streamed_buckets: int = 2_300
    #: Of the legacy report.
    default_page_size: int = 50
    largest_page_size: int = 1_000
    wrong_method: str = "Method not allowed"
    internal: str = "Internal server error"


CHOICES = TapjoyChoices()
