"""Where the file store keeps a dataset's files."""

from __future__ import annotations


def folder_of(account_slug: str, dataset_row_id: int) -> str:
    return f"datasets/{account_slug}/{dataset_row_id}"


def stored_name(account_slug: str, dataset_row_id: int, file_id: str) -> str:
    """By its id, which stays when a file is stamped anew."""
    return f"{folder_of(account_slug, dataset_row_id)}/{file_id}"
