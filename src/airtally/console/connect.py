"""Connect: what a client needs before it works here, its keys, a program, and its call tried against this server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airtally.accounts.permissions import Permission
from airtally.connect.checklist import filled
from airtally.connect.programs import Language, with_key
from airtally.console.declared import console_form, console_page
from airtally.console.operations import ConsoleOperations
from airtally.console.tables import CellKind, Table, TableColumn, table_of
from airtally.console.views import Moved, View, view
from airtally.console.visits import Visit
from airtally.kit.errors import BadRequest, NotFound

_CONNECTIONS = (
    TableColumn("State", lambda each: each.state, CellKind.STATE),
    TableColumn("Base URL here", lambda each: each.base_url, CellKind.CODE),
    TableColumn("Missing", lambda each: ", ".join(each.missing) or None),
)
_KEYS = (
    TableColumn("Name", lambda each: each.name),
    TableColumn("Kind", lambda each: each.kind),
    TableColumn("Ends with", lambda each: each.ends_with or None, CellKind.CODE),
    TableColumn("State", lambda each: each.state, CellKind.STATE),
    TableColumn("Made", lambda each: each.created_at, CellKind.TIME),
    TableColumn("Last used", lambda each: each.last_used_at, CellKind.TIME),
)
#: How a language is called in the tabs.
_LANGUAGES = {
    Language.CURL: "curl",
    Language.PYTHON: "Python",
    Language.PHP: "PHP",
    Language.RUBY: "Ruby",
    Language.JAVASCRIPT: "JavaScript",
}
#: Begins the names of fields of a key that is imported.
_IMPORTED = "imported."


class ConnectPages:
    def __init__(self, operations: ConsoleOperations) -> None:
        self._operations = operations

    @console_page("/connect")
    def connections(self, visit: Visit) -> View:
        def read(_cursor: str | None, _limit: int) -> Any:
            return self._operations.call(visit, "list_connections")

        title = TableColumn("API", lambda each: each.title, link=lambda each: visit.path(f"/connect/{each.name}"))
        return view("connections.html", connections=table_of(visit, "connections", (title, *_CONNECTIONS), read, ""))

    @console_page("/connect/{connection}")
    def connection(self, visit: Visit) -> View:
        return self._shown(visit)

    @console_form("/connect/{connection}/things/{item}", again="connection")
    def declare_thing(self, visit: Visit) -> Moved:
        """What the check-list says, with the values of the form."""
        item = self._item_with_form(visit)
        try:
            call = filled(item.call, visit.form, item.fields)
        except ValueError as error:
            raise BadRequest(str(error)) from None
        self._operations.made(visit, call)
        return Moved(f"{_path(visit)}#{item.id}", f"{item.title}: declared.")

    @console_form("/connect/{connection}/keys", again="connection")
    def make_connection_key(self, visit: Visit) -> View:
        """Shows the secrets, this once, also in the programs. With fields of a key that one is imported."""
        form = visit.form
        given = {name.removeprefix(_IMPORTED): form.text(name) for name in form if name.startswith(_IMPORTED)}
        imported = {name: value for name, value in given.items() if value is not None}
        if form.get("import") and not imported:
            raise BadRequest("No field of the key is given", hint="Leave the form for a new key")
        body = {
            "kind": form.get("kind", ""),
            "name": form.text("name"),
            "scopes": form.all("scope"),
            "offset_mode": form.text("offset_mode"),
            "imported": imported or None,
        }
        return self._shown(visit, made=self._operations.call(visit, "create_key", body=body))

    @console_form("/connect/{connection}/keys/{key_id}/revoke", again="connection")
    def revoke_connection_key(self, visit: Visit) -> Moved:
        key_id = visit.name("key_id")
        self._operations.call(visit, "revoke_key", path={"key_id": key_id})
        return Moved(f"{_path(visit)}#keys", f"Key {key_id} is revoked. Servers refuse it within a second.")

    @console_form("/connect/{connection}/try", again="connection")
    def try_call(self, visit: Visit) -> View:
        """The client's call with a key that exists only meanwhile."""
        path = {"connection": visit.name("connection")}
        return self._shown(visit, tried=self._operations.call(visit, "try_connection", path=path, body={}))

    def _shown(self, visit: Visit, made: Any = None, tried: Any = None) -> View:
        found = self._operations.call(visit, "get_connection", path={"connection": visit.name("connection")})
        chosen = _chosen_language(visit)
        text = next(each for each in found.programs if each.language == chosen)
        return view(
            "connection.html",
            connection=found,
            languages=_LANGUAGES,
            program=text,
            program_text=_with_made(text.text, found, made),
            placeholders=[
                *found.undeclared,
                *([] if made else [each for each in found.placeholders if each in text.text]),
            ],
            keys=self._keys(visit, [each.kind for each in found.keys]),
            made=made,
            tried=tried,
            readable=_readable,
            example_call=_example_call,
            has_form=has_form,
        )

    def _keys(self, visit: Visit, kinds: list[str]) -> Table | None:
        """None for whoever may not see keys."""
        if not visit.may(Permission.ADMIN):
            return None

        def read(cursor: str | None, limit: int) -> Any:
            query = {"cursor": cursor, "limit": limit, "kind": kinds}
            return self._operations.call(visit, "list_keys", query=query)

        return table_of(visit, "keys", _KEYS, read, "There is no key yet. Make one, or import the one the client has.")

    def _item_with_form(self, visit: Visit) -> Any:
        """Raises NotFound."""
        found = self._operations.call(visit, "get_connection", path={"connection": visit.name("connection")})
        for each in found.items:
            if each.id == visit.name("item") and has_form(each):
                return each
        raise NotFound("There is no such form", hint="The page of the API has those that there are")


def has_form(item: Any) -> bool:
    """Rows come by files and calls, and keys have forms that show their secrets."""
    return bool(item.fields) or item.id == "files"


def _path(visit: Visit) -> str:
    return visit.path(f"/connect/{visit.name('connection')}")


def _chosen_language(visit: Visit) -> Language:
    asked = visit.query.get("language") or visit.form.get("language")
    return Language(asked) if asked in set(Language) else Language.CURL


def _with_made(text: str, found: Any, made: Any) -> str:
    """With the secrets of a key that was just made; an imported one that programs must escape is left out."""
    if made is None or made.kind != found.keys[0].kind:
        return text
    try:
        return with_key(text, found.placeholders, made.credentials)
    except BadRequest:
        return text


def _readable(body: str) -> str:
    """JSON on several lines; anything else as it is."""
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body


def _example_call(item: Any) -> str:
    """The native API's call with the examples of its fields, as curl makes it."""
    values: Mapping[str, str] = {each.name: each.example for each in item.fields}
    call = filled(item.call, values, item.fields)
    text = f'curl -X {call.method} "$URL{call.path}" -H "Authorization: Bearer $TOKEN"'
    if call.body is None:
        return text
    body = json.dumps(call.body, ensure_ascii=False).replace("'", "'\\''")
    return f"{text} \\\n  -H \"Content-Type: application/json\" -d '{body}'"
