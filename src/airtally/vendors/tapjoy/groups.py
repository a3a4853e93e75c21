"""Ad groups as they are now: whose they are, and what leads from one to its secondary offer.

docs/vendors/tapjoy.md#1, #5, #6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc

from airtally.accounts.accounts import Account
from airtally.kit.errors import Forbidden, NotFound
from airtally.services import Services
from airtally.sql.case import folded, folded_array
from airtally.streams import AD_GROUPS
from airtally.vendors.tapjoy.choices import CHOICES


@dataclass(frozen=True, slots=True)
class AdGroup:
    """`secondary_id` is None for a group that is another's secondary offer itself: there is no chain."""

    row: dict[str, Any]
    secondary_id: str | None


def find_group(services: Services, account: Account, ad_group_id: str) -> AdGroup:
    """Whatever the case of letters. Raises Forbidden for another account's group, NotFound for none."""
    known = services.queries.known(AD_GROUPS, account.slug)
    row = known.get(ad_group_id)
    if row is None:
        owned = AD_GROUPS.owned
        owner = None if owned is None else services.access.owners.owner_of(owned.kind, folded(ad_group_id))
        raise NotFound(CHOICES.not_found) if owner in {None, account.id} else Forbidden(CHOICES.foreign)
    secondary = row["secondary_offer_id"] or None
    if secondary is not None and _is_secondary(known.table, ad_group_id):
        secondary = None
    return AdGroup(row, secondary)


def _is_secondary(table: Any, ad_group_id: str) -> bool:
    others = folded_array(table.column("secondary_offer_id"))
    return bool(pc.index(others, folded(ad_group_id)).as_py() >= 0)
