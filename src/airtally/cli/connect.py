"""`airtally connect`: what a client needs, and a program that calls the server with the account's values."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from airtally.cli.common import Json, OwnAccountSlug, command
from airtally.cli.output import print_json, print_listing
from airtally.cli.server import quoted, server
from airtally.connect.programs import Language, with_key
from airtally.kit.errors import BadRequest

Name = Annotated[str | None, Parameter(help="native, or a vendor such as tapjoy; if not given, all are listed.")]
LanguageName = Annotated[Language, Parameter(name="--language", help="What the program is written in.")]
KeyFile = Annotated[
    Path | None,
    Parameter(name="--key", help="File with a key, as `key create --json` prints it: the program gets its secrets."),
]
ProgramOnly = Annotated[bool, Parameter(name="--program", negative=(), help="Print nothing but the program.")]
Trying = Annotated[
    bool, Parameter(name="--try", negative=(), help="Make the client's call against the server, and print the answer.")
]


@command
def connect(
    name: Name = None,
    *,
    account: OwnAccountSlug = None,
    language: LanguageName = Language.CURL,
    key: KeyFile = None,
    program: ProgramOnly = False,
    try_: Trying = False,
    as_json: Json = False,
) -> None:
    """Show what a client of an API needs, what of it is there, and a program that calls the server."""
    with server(account) as api:
        if name is None:
            print_listing(
                api.get("/connections")["items"], ("name", "title", "state", "base_url", "missing"), as_json=as_json
            )
            return
        path, credentials = f"/connections/{quoted(name)}", None if key is None else _key_in(key)
        if try_:
            _print_tried(api.post(f"{path}/try", {"credentials": credentials}), as_json=as_json)
            return
        found = _with_key(api.get(path), credentials or {})
    if program:
        sys.stdout.write(_program(found, language)["text"])
    elif as_json:
        print_json(found)
    else:
        print("\n".join(_described(found, language)))


def _with_key(found: Mapping[str, Any], credentials: Mapping[str, Any]) -> dict[str, Any]:
    filled = [each | {"text": with_key(each["text"], found["placeholders"], credentials)} for each in found["programs"]]
    return dict(found) | {"programs": filled}


def _key_in(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise BadRequest("--key cannot be used: expected the JSON object that `key create --json` prints")
    return value


def _program(found: Mapping[str, Any], language: Language) -> dict[str, Any]:
    return next(each for each in found["programs"] if each["language"] == language)


def _described(found: Mapping[str, Any], language: Language) -> Iterator[str]:
    """For people."""
    replaced = f", in place of {found['replaces']}" if found["replaces"] else ""
    yield f"{found['title']}: the base URL is {found['base_url']}{replaced}"
    yield ""
    for item in found["items"]:
        yield from _item_lines(item)
    yield ""
    for kind in found["keys"]:
        yield f"A key that a client has: {kind['command']}"
        yield f"    with {_fields_in_words(kind)}"
    yield f"Moving a client step by step: {found['guide']}"
    program = _program(found, language)
    to_replace = [*found["undeclared"], *(each for each in found["placeholders"] if each in program["text"])]
    yield ""
    yield f"{program['file']}, to be run by: {program['run']}"
    if to_replace:
        yield f"Replace {', '.join(to_replace)}."
    yield ""
    yield program["text"].rstrip("\n")


def _item_lines(item: Mapping[str, Any]) -> Iterator[str]:
    if item["there"]:
        more = " and more" if item["more"] else ""
        names = f": {', '.join(item['names'])}" if item["names"] else ""
        yield f"[x] {item['title']} ({item['count']:,}{more}){names}"
        return
    yield f"[ ] {item['title']}{'' if item['needed'] else ' (only if needed)'}: {item['why']}"
    yield f"    {item['command']}"


def _fields_in_words(kind: Mapping[str, Any]) -> str:
    words = [*kind["required"], *(f"{each} (if there is one)" for each in kind["optional"])]
    return ", ".join(words)


def _print_tried(tried: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(tried)
        return
    for each in tried["exchanges"]:
        print(f"{each['method']} {each['path']}")
        print(f"  {each['status']}")
        for header, text in each["headers"].items():
            print(f"  {header}: {text}")
        print(f"\n{each['body']}{'…' if each['truncated'] else ''}\n")
