"""Answers of /query and /sql: a table for people, or the server's own bytes in the format asked for."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from airtally.cli.output import print_listing
from airtally.cli.server import ApiServer
from airtally.kit.errors import BadRequest, Unavailable

_TYPES = {
    "json": "application/json",
    "csv": "text/csv",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class AnswerForm:
    """How an answer is written: a table by default."""

    as_json: Annotated[bool, Parameter("--json", negative=(), help="Print the whole answer as JSON.")] = False
    csv: Annotated[bool, Parameter("--csv", negative=(), help="Print CSV.")] = False
    ndjson: Annotated[bool, Parameter("--ndjson", negative=(), help="Print one JSON object a line.")] = False
    parquet: Annotated[bool, Parameter("--parquet", negative=(), help="Write Parquet; needs --to.")] = False
    to: Annotated[Path | None, Parameter("--to", help="File for the answer.")] = None

    @property
    def name(self) -> str:
        """Raises BadRequest for two formats, and for Parquet without a file."""
        flags = {"json": self.as_json, "csv": self.csv, "ndjson": self.ndjson, "parquet": self.parquet}
        asked = [name for name, wanted in flags.items() if wanted]
        if len(asked) > 1:
            raise BadRequest(f"The answer has one format, not --{' and --'.join(asked)}")
        if self.parquet and self.to is None:
            raise BadRequest("Parquet is not for a terminal", hint="Name a file with --to")
        return asked[0] if asked else "json"

    @property
    def is_table(self) -> bool:
        return self.to is None and not (self.as_json or self.csv or self.ndjson)


def print_answer(api: ApiServer, path: str, body: Mapping[str, Any], form: AnswerForm) -> None:
    """Ask, and print what is answered. Raises CallFailed; Unavailable where the answer becomes an export."""
    answer = api.call("POST", path, {"Accept": _TYPES[form.name]}, json=body)
    if answer.status == 202:
        export = answer.json()["id"]
        raise Unavailable(
            f"The answer is too large to be given at once; export {export} is made of it",
            hint=f"`airtally export download {export} --to FOLDER` waits for it",
        )
    if form.to is not None:
        form.to.write_bytes(answer.body)
    elif form.is_table:
        _print_table(answer.json())
    else:
        sys.stdout.buffer.write(answer.body if answer.body.endswith(b"\n") else answer.body + b"\n")
        sys.stdout.buffer.flush()


def _print_table(answer: Mapping[str, Any]) -> None:
    described = answer["meta"]["columns"] if "meta" in answer else answer["columns"]
    print_listing(answer["rows"], [each["name"] for each in described], as_json=False)
    if answer.get("next"):
        print("airtally: there are more rows; --limit gives more, `airtally export create` all", file=sys.stderr)
