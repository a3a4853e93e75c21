"""Behaviour that the vendor's documentation leaves open, as values in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PushwooshChoices:
    """docs/vendors/pushwoosh.md marks what these decide with †."""

    body_bytes: int = 1 << 20
    #: createEvent and addTag. The vendor says the first, third and fourth; names are at most 256 bytes besides.
    event_name_characters: int = 32
    tag_name_characters: int = 256
    attribute_name_characters: int = 64
    description_characters: int = 64
    name_bytes: int = 256
    required: str = "{} is required"
    invalid: str = "Invalid {}"
    not_an_object: str = "{} must be an object"
    event_exists: str = "Event already exists"
    tag_exists: str = "Tag already exists"
    device_not_found: str = "Device not found"
    #: postEvent: the code of an in-app message to show; there are none.
    in_app_code: str = ""
    cors_methods: str = "GET, POST, PUT, OPTIONS"
    cors_headers: str = "Origin, X-Requested-With, Content-Type, Accept, Authorization"
    cors_max_age_seconds: int = 600
    #: getResults waits so long for a job under way before it says 420.
    wait_seconds: float = 2.0
    longest_days: int = 1096
    most_conditions: int = 50
    malformed: str = "Malformed request string"
    method_not_found: str = "Method not found"
    internal: str = "Internal error"
    account_not_found: str = "Account not found"
    application_not_found: str = "Application not found"
    token_restricted: str = "Token restrictions forbid this operation"  # noqa: S105 (a message)
    event_not_found: str = "Event not found"
    tag_not_found: str = "Tag not found"
    bad_date: str = "Cannot parse date"
    dates_reversed: str = "date_from is after date_to"
    period_too_long: str = "Period is too long"
    attributes_no_array: str = "attributes must be an array"
    too_many_attributes: str = "Too many attributes"
    attribute_not_found: str = "Attribute not found"
    unknown_operator: str = "Unknown operator"
    bad_values: str = "Invalid attribute values"
    applications_no_array: str = "applications must be an array"
    request_not_found: str = "Request not found"
    request_failed: str = "Request failed"
    still_processing: str = "Request is still being processed"


CHOICES = PushwooshChoices()
