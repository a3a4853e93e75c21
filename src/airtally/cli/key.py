"""`airtally key`: keys of every API."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from airtally.accounts.kinds import KINDS, LEAST_CHARACTERS
from airtally.cli.common import AccountSlug, AnyAccountSlug, Json, command
from airtally.cli.output import print_listing, print_made, to_second
from airtally.cli.server import server
from airtally.kit.clock import SystemClock
from airtally.kit.errors import BadRequest
from airtally.kit.quality import rfc3339
from airtally.kit.setting_values import parse_duration
from airtally.kit.time import SECOND_US

app = App(name="key", help="Create, list and revoke API keys.")

KindName = Literal["native", "fouryousee", "slate", "tapjoy", "scaleengine", "pushwoosh", "pushwoosh-device"]
#: Of a key as JSON.
_NAMES = ("id", "account", "name", "kind", "ends_with", "state", "scopes", "details")
_COLUMNS = ("id", "account", "name", "kind", "ends_with", "state", "scopes", "details", "expires", "last_used")
_IMPORT_FIELDS = "; ".join(f"{kind.name}: {kind.import_fields()}" for kind in KINDS.values())
_IMPORT_HELP = (
    "File, or - for standard input, with a JSON object that holds the key that a client has: that key is stored. "
    f"Its fields are, for {_IMPORT_FIELDS}."
)


@app.command
@command
def create(
    *,
    account: AccountSlug,
    kind: Annotated[KindName, Parameter(name="--for", help="The API that it is for.")],
    name: Annotated[str | None, Parameter(help="Its name for people, such as whose it is.")] = None,
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
        Parameter(name="--import", allow_leading_hyphen=True, help=_IMPORT_HELP),
    ] = None,
    as_json: Json = False,
) -> None:
    """Create a key and print it: the only time its secrets are shown."""
    asked = {
        "kind": kind,
        "name": name,
        "scopes": sorted(scope),
        "applications": application,
        "denied": deny,
        "static": static,
        "offset_mode": offset_mode,
        "expires_at": None if expires is None else _expiry(expires),
        "imported": None if import_ is None else _imported(import_),
    }
    with server(account) as api:
        made = api.post("/keys", asked)
    for field, length in made["short"].items():
        print(
            f"airtally: `{field}` has {length} characters: secrets under {LEAST_CHARACTERS} can be guessed; "
            "replace it as soon as its clients can",
            file=sys.stderr,
        )
    print_made(made["credentials"], as_json=as_json)


@app.command(name="list")
@command
def list_(*, account: AnyAccountSlug = None, as_json: Json = False) -> None:
    """Show the keys, without their secrets."""
    with server() as api:
        found = [_key_row(key) for _, owner in api.of_accounts(account) for key in owner.items("/keys")]
    print_listing(found, _COLUMNS, as_json=as_json)


@app.command
@command
def revoke(
    key_id: Annotated[int, Parameter(help="As `key list` shows it.")], *, account: AnyAccountSlug = None
) -> None:
    """Revoke a key; running servers refuse it within a second."""
    with server() as api:
        api.where_found(account, lambda owner: owner.delete(f"/keys/{key_id}"))


def _expiry(duration: str) -> str:
    try:
        seconds = parse_duration(duration)
    except ValueError as error:
        raise BadRequest(f"--expires {duration} cannot be used: expected {error}") from None
    return rfc3339(SystemClock().now_us() + round(seconds * SECOND_US))


def _imported(source: str) -> dict[str, Any]:
    text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise BadRequest("The imported key cannot be used: expected the JSON object that `key create --json` prints")
    return value


def _key_row(key: Mapping[str, Any]) -> dict[str, Any]:
    times = {name: to_second(key[f"{name}_at"]) for name in ("created", "expires", "revoked", "last_used")}
    return {name: key[name] for name in _NAMES} | times
