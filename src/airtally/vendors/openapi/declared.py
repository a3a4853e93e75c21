"""What a vendor's package declares of its wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from airtally.kit.errors import Failure
from airtally.kit.openapi import JsonObject
from airtally.web.areas import Responder

#: Schemas of the bodies of failures by status; 0 stands for all others.
ErrorSchemas = Mapping[int, JsonObject]


@dataclass(frozen=True, slots=True, kw_only=True)
class WireOperation:
    """One call of a vendor's wire.

    `section` is that of the vendor's page. `success` has responses by status; `failures` are what else it may answer,
    written by the encoder that serves them. `route` is the handler's path where several calls share it. `security`
    names the schemes of which one is needed, an empty name that none is. `respond` and `error` stand in for the wire's
    own. `head`: it takes HEAD too.
    """

    id: str
    method: Literal["GET", "POST", "OPTIONS"]
    path: str
    section: int
    summary: str
    success: Mapping[int, JsonObject]
    about: str = ""
    failures: Sequence[Failure] = ()
    parameters: Sequence[JsonObject] = ()
    body: JsonObject | None = None
    security: Sequence[str] = ()
    route: str = ""
    respond: Responder | None = None
    error: ErrorSchemas | None = None
    head: bool = False

    @property
    def served_at(self) -> str:
        """The path of the handler."""
        return self.route or self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorWire:
    """All of a vendor's wire but its pages for people. `schemas` and `security` are components of the document."""

    title: str
    about: str
    schemas: Mapping[str, JsonObject]
    security: Mapping[str, JsonObject]
    error: ErrorSchemas
    operations: Sequence[WireOperation]
