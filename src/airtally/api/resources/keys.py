"""`/api/v1/keys`: keys of every API, made, listed and revoked by admins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from airtally.accounts.access import HasAccess
from airtally.accounts.keys import Key, KeyOptions
from airtally.accounts.options import MAX_KEY_NAME
from airtally.accounts.permissions import Permission
from airtally.api.operation import NoFields, OperationCall, PlainCall, operation
from airtally.api.pages import ListingPage, PageQuery, page_of
from airtally.api.times import read_moment, shown_moment
from airtally.kit.errors import Conflict, NotFound


class NewKey(msgspec.Struct, forbid_unknown_fields=True):
    """`kind`: the API that it is for. `name`: for people, such as whose it is. `scopes`: of native keys. `expires_at`:
    RFC 3339; never, if left out.

    `imported`: the object that a client has already, as `credentials` of a created key. The other fields are options
    of some kinds: `applications` of Pushwoosh, `denied` of ScaleEngine, `static` and `offset_mode` of Slate.
    """

    kind: str
    name: Annotated[str, msgspec.Meta(max_length=MAX_KEY_NAME)] | None = None
    scopes: list[str] = msgspec.field(default_factory=list)
    applications: list[str] = msgspec.field(default_factory=list)
    denied: list[str] = msgspec.field(default_factory=list)
    static: bool = False
    offset_mode: str | None = None
    expires_at: str | None = None
    imported: dict[str, str | int] | None = None


class KeysQuery(PageQuery):
    """`kind`: only keys of this kind; given again, of that one too."""

    kind: Annotated[list[str], msgspec.Meta(max_length=16)] = msgspec.field(default_factory=list)


class CreatedKey(msgspec.Struct, frozen=True):
    """`credentials` are shown now and never again. `short`: the lengths of secrets that can be guessed, by field."""

    id: int
    kind: str
    credentials: dict[str, str | int]
    short: Mapping[str, int]


class KeyAnswer(msgspec.Struct, frozen=True):
    """`ends_with`: the last characters of what its holder presents. `user`: whose token it is.

    `state`: active, expired or revoked.
    """

    id: int
    account: str
    name: str | None
    kind: str
    ends_with: str
    state: str
    scopes: tuple[str, ...]
    details: Mapping[str, Any]
    user: str | None
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None


class KeyResource:
    def __init__(self, services: HasAccess) -> None:
        self._keys = services.access.keys
        self._clock = services.clock

    @operation("GET", "/keys", Permission.ADMIN, "List keys", of_closed=True)
    def list_keys(self, call: OperationCall[KeysQuery, None]) -> ListingPage[KeyAnswer]:
        """All of the account, oldest first, with the revoked and expired ones; without their secrets."""
        asked = call.query
        found = self._keys.all(call.account, kinds=asked.kind, after=asked.position or 0, limit=asked.limit + 1)
        now = self._clock.now_us()
        return page_of(found, call.query.limit, lambda each: _key_answer(each, now), lambda each: each.id)

    @operation(
        *("POST", "/keys", Permission.ADMIN, "Create or import a key"),
        status=201,
        failures=(Conflict,),
        example={"kind": "native", "name": "Lobby screens", "scopes": ["read"]},
        answer_example={"id": 12, "kind": "native", "credentials": {"token": "airtally_…"}, "short": {}},
    )
    def create_key(self, call: OperationCall[NoFields, NewKey]) -> CreatedKey:
        """The answer has the secrets, which are shown only now."""
        asked = call.body
        options = KeyOptions(
            scopes=frozenset(asked.scopes),
            applications=tuple(asked.applications),
            denied=tuple(asked.denied),
            static=asked.static,
            offset_mode=asked.offset_mode,
            name=asked.name,
        )
        expires_at = None if asked.expires_at is None else read_moment(asked.expires_at, "expires_at")
        made = self._keys.create(call.account, asked.kind, options, expires_at=expires_at, imported=asked.imported)
        return CreatedKey(made.id, made.kind, made.credentials, made.short)

    @operation("GET", "/keys/{key_id}", Permission.ADMIN, "Get a key", failures=(NotFound,), of_closed=True)
    def get_key(self, call: PlainCall) -> KeyAnswer:
        return _key_answer(self._keys.get(call.number("key_id"), call.account), self._clock.now_us())

    @operation(
        "DELETE", "/keys/{key_id}", Permission.ADMIN, "Revoke a key", status=204, failures=(NotFound,), of_closed=True
    )
    def revoke_key(self, call: PlainCall) -> None:
        """Every server refuses it within a second. Revoking twice is no error."""
        self._keys.revoke(call.number("key_id"), call.account)


def _key_answer(key: Key, now_us: int) -> KeyAnswer:
    return KeyAnswer(
        id=key.id,
        account=key.account,
        name=key.name,
        kind=key.kind,
        ends_with=key.hint,
        state=key.state(now_us),
        scopes=key.scopes,
        details=key.details,
        user=key.username,
        created_at=shown_moment(key.created_at),
        expires_at=shown_moment(key.expires_at),
        revoked_at=shown_moment(key.revoked_at),
        last_used_at=shown_moment(key.last_used_at),
    )
