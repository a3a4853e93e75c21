"""The names of a dataset's files in the file store."""

from __future__ import annotations


def folder_of(account_slug: str, dataset_row_id: int) -> str:
    return f"datasets/{account_slug}/{dataset_row_id}"


def stored_name(account_slug: str, dataset_row_id: int, file_id: str) -> str:
    """Made of the file's id, which does not change when the file gets a new stamp."""
    return f"{folder_of(account_slug, dataset_row_id)}/{file_id}"
