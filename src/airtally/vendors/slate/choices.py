"""Behaviour that the vendor's documentation leaves open, as values in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SlateChoices:
    """docs/vendors/slate.md marks what these decide with †."""

    default_limit: int = 10
    largest_limit: int = 1000
    largest_offset: int = 10**15
    retention_days: int = 730
    retention_grace_seconds: int = 3600
    form_bytes: int = 64 << 10
    form_fields: int = 100
    unauthorized: str = "Access token is missing, invalid or expired."
    invalid_client: str = "Client authentication failed"
    invalid_grant: str = "The request has an invalid grant parameter : "
    revoked: str = "The request has an invalid grant parameter : refresh_token. "
    revoked_more: str = "User may have revoked or didn't grant the permission."
    missing: str = "The request is missing a required parameter : "
    malformed: str = "Malformed request"
    unsupported_grant: str = "The authorization grant type is not supported by the authorization server"


CHOICES = SlateChoices()
