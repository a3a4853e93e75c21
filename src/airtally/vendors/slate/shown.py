"""Entries of the catalogue as the command line and the native API show them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airtally.datasets.dataset import KINDS, Dataset
from airtally.vendors.slate.entries import Business, Group, SlateAccount


def account(entry: SlateAccount) -> dict[str, Any]:
    return {"id": entry.id, "name": entry.name}


def group(entry: Group) -> dict[str, Any]:
    return {"slate_account": entry.slate_account, "id": entry.id, "name": entry.name}


def business(entry: Business, datasets: Iterable[Dataset]) -> dict[str, Any]:
    """With the datasets of it among those given: ids by kind, and the format they have."""
    own = [each for each in datasets if each.business == entry.id]
    return {
        "slate_account": entry.slate_account,
        "group": entry.group,
        "id": entry.id,
        "name": entry.name,
        "territory": entry.territory,
        "format": own[0].format if own else None,
        "datasets": {KINDS[each.stream]: each.id for each in own},
    }
