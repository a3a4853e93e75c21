"""Where the file store keeps a dataset's files."""

from __future__ import annotations


def stored_name(account_slug: str, dataset_row_id: int, file_name: str) -> str:
    return f"datasets/{account_slug}/{dataset_row_id}/{file_name}"
