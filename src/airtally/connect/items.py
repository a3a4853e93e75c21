"""Items of check-lists that several APIs have: records, rows and keys."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from airtally.accounts.keys import Key
from airtally.connect.account_view import MOST_COUNTED, MOST_NAMED, AccountView
from airtally.connect.checklist import ChecklistItem, DeclaredField, DeclaringCall
from airtally.streams.declaration import Stream
from airtally.streams.record_key import written_key

_PREFIX = "/api/v1"


def records_item(
    view: AccountView, stream: Stream, title: str, why: str, fields: Sequence[DeclaredField], *, needed: bool
) -> ChecklistItem:
    """Records of a changelog whose key is one column, the first of the fields; named by `name` beside the key."""
    found, key = view.records(stream), fields[0]
    values = {each.name: int(each.example) if each.type == "number" else each.example for each in fields[1:]}
    record = written_key((key.example,))
    put = f"airtally record put {stream.name} {shlex.quote(record)} --account {view.account.slug}"
    return ChecklistItem(
        id=stream.name,
        title=title,
        why=why,
        needed=needed,
        count=min(len(found), MOST_COUNTED),
        more=len(found) > MOST_COUNTED,
        names=tuple(_record_name(row, key.name) for row in found[:MOST_NAMED]),
        command=f"{put} --values {shlex.quote(json.dumps(values))}",
        call=DeclaringCall(
            "PUT",
            f"{_PREFIX}/streams/{stream.name}/records/{{{key.name}}}",
            {"values": {each.name: f"{{{each.name}}}" for each in fields[1:]}},
        ),
        fields=tuple(fields),
    )


def rows_item(
    view: AccountView,
    streams: Sequence[Stream],
    title: str,
    why: str,
    row: Mapping[str, Any],
    *,
    names: Sequence[str] = (),
) -> ChecklistItem:
    """Rows of one stream or of any of several; `row` is one of the first stream. They are always needed."""
    first = streams[0]
    return ChecklistItem(
        id=first.name,
        title=title,
        why=why,
        needed=True,
        count=sum(view.stored(each) for each in streams),
        more=False,
        names=tuple(names[:MOST_NAMED]),
        command=f"airtally ingest {first.name} FILE --account {view.account.slug}",
        call=DeclaringCall("POST", f"{_PREFIX}/streams/{first.name}/events", [dict(row)]),
    )


def keys_item(
    view: AccountView, kind: str, why: str, *, options: str = "", title: str = "Key", needed: bool = True
) -> ChecklistItem:
    """Keys of a kind that are in force. `options` of the command that makes one."""
    found = view.keys(kind)
    body: dict[str, Any] = {"kind": kind} | ({"scopes": ["read", "write"]} if kind == "native" else {})
    return ChecklistItem(
        id=f"{kind}-keys",
        title=title,
        why=why,
        needed=needed,
        count=min(len(found), MOST_COUNTED),
        more=len(found) > MOST_COUNTED,
        names=tuple(_key_name(each) for each in found[:MOST_NAMED]),
        command=f"airtally key create --account {view.account.slug} --for {kind}{options}",
        call=DeclaringCall("POST", f"{_PREFIX}/keys", body),
    )


def _record_name(row: Mapping[str, Any], key: str) -> str:
    name = row.get("name")
    return f"{row[key]} ({name})" if name else str(row[key])


def _key_name(key: Key) -> str:
    return key.name or f"key {key.id}"
