"""Items of the listings.

docs/vendors/slate.md#4, #5.
"""

from __future__ import annotations

from airtally.datasets.dataset import Dataset
from airtally.datasets.files import DatasetFile
from airtally.vendors.slate.dates import item_text
from airtally.vendors.slate.entries import Business, Group, SlateAccount
from airtally.vendors.slate.links import Link

Item = dict[str, str | int]


def named(entry: SlateAccount | Group | Dataset) -> Item:
    return {"id": entry.id, "name": entry.name}


def business(entry: Business) -> Item:
    territory: Item = {} if entry.territory is None else {"territory": entry.territory}
    return {"id": entry.id, "name": entry.name} | territory


def file(entry: DatasetFile, link: Link) -> Item:
    return {
        "id": entry.id,
        "name": entry.name,
        "downloadUrl": link.url,
        "numRows": entry.rows,
        "reportDateBegin": entry.report_date_begin,
        "reportDateEnd": entry.report_date_end,
        "modifiedDate": item_text(entry.published_at),
        "expirationDate": item_text(link.expires_at),
    }
