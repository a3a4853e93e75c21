"""The OpenAPI documents of this server, to be read and tried: the native API and each vendor's wire."""

from __future__ import annotations

from airtally.console.declared import Place, console_page
from airtally.console.operations import ConsoleOperations
from airtally.console.views import View, view
from airtally.console.visits import Visit
from airtally.vendors.apis import APIS

_NATIVE = "native"


class ApiPages:
    def __init__(self, operations: ConsoleOperations) -> None:
        """Calls no operation: the browser fetches the documents, which are open to anybody."""

    @console_page("/api", Place.SITE)
    def api_documents(self, visit: Visit) -> View:
        names = [_NATIVE, *(api.name for api in APIS)]
        asked = visit.query.get("document", _NATIVE)
        shown = asked if asked in names else _NATIVE
        address = "/api/v1/openapi.json" if shown == _NATIVE else f"/api/v1/openapi/{shown}.json"
        return view("api.html", names=names, shown=shown, address=address)
