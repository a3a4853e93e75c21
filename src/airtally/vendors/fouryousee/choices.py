"""Behaviour that the vendor's documentation leaves open, as values in one place."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FourYouSeeChoices:
    """docs/vendors/fouryousee.md marks what these decide with †."""

    report_types: tuple[str, ...] = ("detailed",)
    report_format: str = "json"
    longest_days: int = 30
    start_time: str = "00:00:00"
    end_time: str = "23:59:59"
    sort: int = -1
    webhook_characters: int = 2048
    default_limit: int = 100
    largest_limit: int = 100
    seconds_between_calls: float = 1.0
    body_bytes: int = 16 << 20
    poll_after_seconds: int = 5
    cors_max_age_seconds: int = 600
    sortable: dict[str, str] = field(
        default_factory=lambda: {
            "id": "id",
            "type": "type",
            "status": "status",
            "createdAt": "created_at",
            "updatedAt": "updated_at",
        }
    )
    no_group: tuple[int, str] = (1, "Default")
    failed_code: int = 422
    failed_message: str = "There was an error generating the report"
    bad_token: str = "Invalid or missing Secret-Token"  # noqa: S105 (a message)
    no_playlists: str = "Playlists are not kept here"
    too_many: str = "Too many requests"


CHOICES = FourYouSeeChoices()
