"""Finds an ad group's current record, its owner and its secondary offer.

docs/vendors/tapjoy.md#1, #5, #6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airtally.accounts.accounts import Account
from airtally.kit.cache import Cache
from airtally.kit.errors import Forbidden, NotFound
from airtally.query.records import KnownRecords
from airtally.services import Services
from airtally.sql.case import folded, folded_array
from airtally.streams import AD_GROUPS
from airtally.vendors.tapjoy.choices import CHOICES

#: Groups of one account kept in memory, those asked for last.
_MOST_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class AdGroup:
    """`secondary_id` is None for a group that is another's secondary offer itself: there is no chain."""

    row: Mapping[str, Any]
    secondary_id: str | None


class AdGroups:
    """An account's groups as they are at one state of their changelog. Thread-safe by the lock of its `Cache`."""

    def __init__(self, known: KnownRecords) -> None:
        self._known = known
        self._secondary = frozenset(folded_array(known.table.column("secondary_offer_id")).to_pylist())
        self._read: Cache[str, AdGroup] = Cache(_MOST_KEPT)

    def get(self, ad_group_id: str) -> AdGroup | None:
        """The group of an id in small letters."""
        found = self._read.get(ad_group_id)
        row = self._known.get(ad_group_id) if found is None else None
        if row is not None:
            secondary = None if ad_group_id in self._secondary else row["secondary_offer_id"] or None
            found = AdGroup(row, secondary)
            self._read.put(ad_group_id, found)
        return found


def find_group(services: Services, account: Account, ad_group_id: str) -> AdGroup:
    """The group of an id, in any case. Raises Forbidden for another account's group, NotFound for an unknown one."""
    group = services.queries.known(AD_GROUPS, account.slug).once(AdGroups).get(folded(ad_group_id))
    if group is None:
        owned = AD_GROUPS.owned
        owner = None if owned is None else services.access.owners.owner_of(owned.kind, folded(ad_group_id))
        raise NotFound(CHOICES.not_found) if owner in {None, account.id} else Forbidden(CHOICES.foreign)
    return group
