"""`airtally key`: keys of every API."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from airtally.accounts.keys import Key, KeyOptions
from airtally.accounts.kinds import LEAST_CHARACTERS
from airtally.cli.common import AccountSlug, AnyAccountSlug, Json, command, opened_database
from airtally.cli.output import moment, print_listing, print_made
from airtally.cli.remote import remote
from airtally.kit.clock import SystemClock
from airtally.kit.errors import BadRequest
from airtally.kit.quality import rfc3339
from airtally.kit.setting_values import parse_duration
from airtally.kit.time import from_datetime, iso_seconds

app = App(name="key", help="Create, list and revoke API keys.")

KindName = Literal["native", "fouryousee", "slate", "tapjoy", "scaleengine", "pushwoosh", "pushwoosh-device"]
#: Of a key as JSON.
_NAMES = ("id", "account", "kind", "ends_with", "state", "scopes", "details")
_COLUMNS = ("id", "account", "kind", "ends_with", "state", "scopes", "details", "expires", "last_used")


@app.command
@command
def create(
    *,
    account: AccountSlug,
    kind: Annotated[KindName, Parameter(name="--for", help="The API that it is for.")],
    scope: Annotated[
        tuple[Literal["read", "write", "admin"], ...],
        Parameter(help="What a native key may do; can be given twice.", negative=()),
    ] = (),
    application: Annotated[
        tuple[str, ...],
        Parameter(help="Application codes that a Pushwoosh key may use; if not given, all.", negative=()),
    ] = (),
    deny: Annotated[tuple[str, ...], Parameter(help="Commands that a ScaleEngine key may not use.", negative=())] = (),
    static: Annotated[bool, Parameter(help="The Slate access token never expires.", negative=())] = False,
    offset_mode: Annotated[
        Literal["page", "item"] | None,
        Parameter(help="What `offset` counts for a Slate key; if not given, AIRTALLY_SLATE_OFFSET_MODE says."),
    ] = None,
    expires: Annotated[
        str | None, Parameter(help="How long the key is valid, such as 90d or 12h; if not given, for ever.")
    ] = None,
    import_: Annotated[
        str | None,
        Parameter(
            name="--import",
            allow_leading_hyphen=True,
            help="File, or - for standard input, with the JSON object that this command prints: store that key.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Create a key and print it: the only time its secrets are shown."""
    options = KeyOptions(frozenset(scope), application, deny, static, offset_mode)
    lifetime = None if expires is None else _duration_us(expires)
    imported = None if import_ is None else _imported(import_)
    with remote(account) as server:
        if server is None:
            credentials, short = _create_here(account, kind, options, lifetime, imported)
        else:
            made = server.post("/keys", _new_key(kind, options, lifetime, imported))
            credentials, short = made["credentials"], made["short"]
    for name, length in short.items():
        print(
            f"airtally: `{name}` has {length} characters: secrets under {LEAST_CHARACTERS} can be guessed; "
            "replace it as soon as its clients can",
            file=sys.stderr,
        )
    print_made(credentials, as_json=as_json)


@app.command(name="list")
@command
def list_(*, account: AnyAccountSlug = None, as_json: Json = False) -> None:
    """Show the keys, without their secrets."""
    with remote() as server:
        if server is None:
            with opened_database() as database:
                now = database.clock.now_us()
                found = [_key_row(each, now) for each in database.keys.all(database.account(account))]
        else:
            found = [_row_of_answer(each) for each in server.items_of("/keys", account)]
    print_listing(found, _COLUMNS, as_json=as_json)


@app.command
@command
def revoke(
    key_id: Annotated[int, Parameter(help="As `key list` shows it.")], *, account: AnyAccountSlug = None
) -> None:
    """Revoke a key; running servers refuse it within a second."""
    with remote(account) as server:
        if server is None:
            with opened_database() as database:
                database.keys.revoke(key_id, database.account(account))
        else:
            server.delete(f"/keys/{key_id}")


def _create_here(
    account: str, kind: str, options: KeyOptions, lifetime_us: int | None, imported: dict[str, Any] | None
) -> tuple[Mapping[str, Any], Mapping[str, int]]:
    """The credentials of a new key, and the lengths of those that are short."""
    with opened_database() as database:
        expires_at = None if lifetime_us is None else database.clock.now_us() + lifetime_us
        owner = database.accounts.by_slug(account)
        made = database.keys.create(owner, kind, options, expires_at=expires_at, imported=imported)
    return made.credentials, made.short


def _new_key(
    kind: str, options: KeyOptions, lifetime_us: int | None, imported: dict[str, Any] | None
) -> dict[str, Any]:
    """The body of `POST /api/v1/keys`."""
    expires_at = None if lifetime_us is None else rfc3339(SystemClock().now_us() + lifetime_us)
    return {
        "kind": kind,
        "scopes": sorted(options.scopes),
        "applications": options.applications,
        "denied": options.denied,
        "static": options.static,
        "offset_mode": options.offset_mode,
        "expires_at": expires_at,
        "imported": imported,
    }


def _duration_us(text: str) -> int:
    try:
        return round(parse_duration(text) * 1_000_000)
    except ValueError as error:
        raise BadRequest(f"--expires {text} cannot be used: expected {error}") from None


def _imported(source: str) -> dict[str, Any]:
    text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise BadRequest("The imported key cannot be used: expected the JSON object that `key create --json` prints")
    return value


def _row_of_answer(answer: Mapping[str, Any]) -> dict[str, Any]:
    """A key as the API shows it, in the form of `_key_row`."""
    times = {
        name: None
        if (text := answer[f"{name}_at"]) is None
        else iso_seconds(from_datetime(datetime.fromisoformat(text)))
        for name in ("created", "expires", "revoked", "last_used")
    }
    return {name: answer[name] for name in _NAMES if name not in times} | times


def _key_row(key: Key, now_us: int) -> dict[str, Any]:
    return {
        "id": key.id,
        "account": key.account,
        "kind": key.kind,
        "ends_with": key.hint,
        "state": key.state(now_us),
        "scopes": list(key.scopes),
        "details": dict(key.details),
        "created": moment(key.created_at),
        "expires": moment(key.expires_at),
        "revoked": moment(key.revoked_at),
        "last_used": moment(key.last_used_at),
    }
