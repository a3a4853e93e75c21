"""The options of a key, such as its scopes and applications."""

from __future__ import annotations

import re
import secrets as random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from airtally.accounts.accounts import Account, check_name
from airtally.accounts.kinds import Credentials, KeyKind, checked_cdn
from airtally.accounts.owners import Owners
from airtally.accounts.permissions import KEY_SCOPES
from airtally.database.tables import owners
from airtally.kit.errors import BadRequest, Conflict

_APPLICATION = re.compile(r"[!-~]{1,256}")
_COMMAND = re.compile(r"[a-z]+(\.[a-z]+)*")
_MODES = ("page", "item")
#: Characters of the name of a key.
MAX_KEY_NAME = 100
_OPTION_FLAGS = {
    "scopes": "--scope",
    "applications": "--application",
    "denied": "--deny",
    "static": "--static",
    "offset_mode": "--offset-mode",
}


@dataclass(frozen=True, slots=True)
class KeyOptions:
    """`scopes`: of native keys. `applications`: Pushwoosh codes; empty means all. `denied`: ScaleEngine commands.
    `static`: Slate's access token never expires. `offset_mode`: what `offset` counts for a Slate key, page or item;
    None follows the setting. `name`: for people, of any kind of key.
    """

    scopes: frozenset[str] = frozenset()
    applications: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    static: bool = False
    offset_mode: str | None = None
    name: str | None = None

    def checked_name(self) -> str | None:
        """The name, if the key has one. Raises BadRequest."""
        if self.name is not None:
            check_name(self.name, "name of the key")
            if len(self.name) > MAX_KEY_NAME:
                raise BadRequest(f"The name of the key has {len(self.name)} characters, and may have {MAX_KEY_NAME}")
        return self.name

    def details(self, kind: KeyKind, *, token: bool = False) -> dict[str, Any]:
        """The options as stored with the key; a user's `token` needs no scope.

        Raises BadRequest for options that the kind does not have.
        """
        for option, flag in _OPTION_FLAGS.items():
            if getattr(self, option) and option not in kind.options:
                raise BadRequest(f"{flag} is not for {kind.name} keys")
        if "scopes" in kind.options and not self.scopes and not token:
            raise BadRequest(
                "A native key needs a scope", hint="Give --scope read, --scope write or --scope admin, or several"
            )
        _check_option(self.scopes, KEY_SCOPES.__contains__, "scope", "read, write or admin")
        _check_option(self.applications, _APPLICATION.fullmatch, "application", "a code such as A1B2C-D3E4F")
        _check_option(
            [self.offset_mode] if self.offset_mode else (), _MODES.__contains__, "offset mode", "page or item"
        )
        _check_option(self.denied, _COMMAND.fullmatch, "command to deny", "a name such as viewer.log")
        kept: dict[str, Any] = {}
        if self.applications:
            kept["applications"] = sorted(set(self.applications))
        if self.denied:
            kept["denied"] = sorted(set(self.denied))
        if self.offset_mode is not None:
            kept["offset_mode"] = self.offset_mode
        return kept | ({"static": True} if self.static else {})


def check_applications(options: KeyOptions, account: Account, owners_index: Owners) -> None:
    """Raises BadRequest if an option names another account's application."""
    for code, owner in owners_index.owners_of("application", options.applications).items():
        if owner != account.id:
            raise BadRequest(f"The application {code!r} is not this account's")


def take_cdn(connection: Connection, index: Owners, account: Account, wanted: Mapping[str, object]) -> Credentials:
    """Claim the CDN number of a new ScaleEngine key: the given one, else the account's, else a new one.

    Raises Conflict for another account's.
    """
    given = checked_cdn(wanted["cdn"]) if "cdn" in wanted else None
    cdn = given or _own_cdn(connection, account) or _new_cdn(connection)
    if index.claim_within(connection, "cdn", [str(cdn)], account.id)[str(cdn)] != account.id:
        raise Conflict(f"The CDN number {cdn} is another account's")
    return {"cdn": cdn}


def _own_cdn(connection: Connection, account: Account) -> int | None:
    query = select(owners.c.external_id).where(owners.c.kind == "cdn", owners.c.account_id == account.id)
    numbers = sorted(int(each) for each in connection.execute(query).scalars())
    return numbers[0] if numbers else None


def _new_cdn(connection: Connection) -> int:
    taken = select(owners.c.external_id).where(owners.c.kind == "cdn")
    while True:
        cdn = 10_000 + random.randbelow(990_000)
        if connection.execute(taken.where(owners.c.external_id == str(cdn))).one_or_none() is None:
            return cdn


def _check_option(values: Any, usable: Any, what: str, expected: str) -> None:
    for value in values:
        if not usable(value):
            raise BadRequest(f"The {what} {value[:64]!r} cannot be used: expected {expected}")
