"""Behaviour that the vendor's documentation leaves open, as values in one place."""

from __future__ import annotations

from dataclasses import dataclass, field

from airtally.kit.time import DAY_US, HOUR_US
from airtally.query.buckets import Bucket


@dataclass(frozen=True, slots=True)
class Graph:
    """A window of time and the buckets it is cut into."""

    length_us: int
    bucket: Bucket


@dataclass(frozen=True, slots=True)
class ScaleEngineChoices:
    """docs/vendors/scaleengine.md marks what these decide with †."""

    body_bytes: int = 1 << 20
    nesting_levels: int = 16
    command: str = "viewer.log"
    graphs: dict[int, Graph] = field(
        default_factory=lambda: {
            1: Graph(6 * HOUR_US, Bucket.MINUTE),
            2: Graph(24 * HOUR_US, Bucket.MINUTE),
            3: Graph(7 * DAY_US, Bucket.HOUR),
            4: Graph(30 * DAY_US, Bucket.DAY),
        }
    )
    #: Of one request; more are an invalid value. Each costs a look at every row.
    most_patterns: int = 200
    found: str = "Found viewers"
    nobody: str = "No viewers found"
    unknown_command: str = "Unrecognized API Command"
    not_authorized: str = "CDN Authorization failed. Invalid API Key or not authorized for that account."
    bad_timestamp: str = "Timestamp outside valid range. Make sure your timestamp is in UTC not local time"
    bad_signature: str = "Failed HMAC-SHA256 Signature. Check your Private Key"
    unexpected: str = "API encountered an unexpected error"
    denied: str = "Unauthorized Access to API"
    missing: str = "One or more required fields are missing: {}"
    invalid: str = "Invalid value for field: {}"


CHOICES = ScaleEngineChoices()
