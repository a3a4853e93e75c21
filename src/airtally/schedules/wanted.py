"""What a schedule makes and who gets it, as callers write it and as it is stored."""

from __future__ import annotations

import msgspec

from airtally.exports.spec import ExportSpec
from airtally.kit.errors import Unprocessable
from airtally.kit.mail import is_address

#: Addresses and endpoints of one schedule.
MOST_RECIPIENTS = 20


class AskedPlays(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, rename="camel"):
    """A 4YouSee report of the plays in a range of days, such as `yesterday`; an empty list means all."""

    range: str
    media_id: tuple[int, ...] = ()
    player_id: tuple[int, ...] = ()
    sort: int = -1


class Product(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One of an export (of rows, or of a query) and a 4YouSee report."""

    export: ExportSpec | None = None
    report: AskedPlays | None = None

    def check(self) -> None:
        """Raises Unprocessable unless it is one of them."""
        if (self.export is None) == (self.report is None):
            raise Unprocessable("A schedule makes an `export` or a `report`, one of them")


class DeliverTo(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who is sent what was made. Whoever that is, and if it is nobody, the files are listed and can be fetched.

    `webhooks`: all endpoints of the account that want `schedule.delivered`; `endpoints`: certain ones, by their ids;
    `email`: addresses.
    """

    webhooks: bool = False
    endpoints: tuple[int, ...] = ()
    email: tuple[str, ...] = ()

    def check(self) -> None:
        """Raises Unprocessable for too many recipients, and for what is no address."""
        if len(self.endpoints) + len(self.email) > MOST_RECIPIENTS:
            raise Unprocessable(f"A schedule delivers to {MOST_RECIPIENTS} endpoints and addresses at most")
        for address in self.email:
            if not is_address(address):
                raise Unprocessable(f"{address[:64]!r} is no e-mail address")

    @property
    def is_empty(self) -> bool:
        return not (self.webhooks or self.endpoints or self.email)
