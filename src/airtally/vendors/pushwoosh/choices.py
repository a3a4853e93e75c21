"""What this server chose where nothing documents the vendor's behaviour. One place to change it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Choices:
    """Each is a reading of silence; docs/vendors/pushwoosh.md says why."""

    body_bytes: int = 1 << 20
    cors_methods: str = "GET, POST, PUT, OPTIONS"
    cors_headers: str = "Origin, X-Requested-With, Content-Type, Accept, Authorization"
    cors_max_age_seconds: int = 600
    #: getResults waits so long for a job under way before it says 420.
    wait_seconds: float = 2.0
    gzip_from_bytes: int = 1024
    malformed: str = "Malformed request string"
    method_not_found: str = "Method not found"
    internal: str = "Internal error"
    account_not_found: str = "Account not found"
    application_not_found: str = "Application not found"
    token_restricted: str = "Token restrictions forbid this operation"  # noqa: S105 (a message)
    still_processing: str = "Request is still being processed"


CHOICES = Choices()
