"""The names of exports' files in the file store."""

from __future__ import annotations

import secrets


def folder_of(account_slug: str, export_id: int) -> str:
    return f"exports/{account_slug}/{export_id}"


def new_pin_name(account_slug: str, export_id: int) -> str:
    """A name that no other worker uses, in case two believe that they hold the job."""
    return f"{folder_of(account_slug, export_id)}/pin-{secrets.token_hex(6)}"
