"""The Pushwoosh JSON API 1.3: statistics, declarations, device methods, what SDKs call (docs/vendors/pushwoosh.md)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fuzz.case import Case, Headers
from fuzz.grammar.draft import Draft
from fuzz.values import day, moment, plain_nasty

_READ = ("getEventStatistics", "getEventStatistics", "getTagStats", "getResults", "getResults", "getResults")
_DECLARE = ("createEvent", "addTag")
_DEVICE = (
    "postEvent",
    "setTags",
    "getTags",
    "registerDevice",
    "unregisterDevice",
    "deleteDevice",
    "applicationOpen",
    "pushStat",
)
_SDK = (
    "getConfig", "checkDevice", "registerUser", "setBadge", "messageDeliveryEvent", "setPurchase", "deleteTags", "inboxStatus", "recordPopupFormEvent",
    "getInApps", "getPopupForms", "getInboxMessages",
)  # fmt: skip
_OPERATORS = ("EQ", "IN", "NOTEQ", "NOTIN", "GTE", "LTE", "BETWEEN", "NOTSET", "ANY", "eq", "LIKE")


def draw(draft: Draft) -> Case:
    chance = draft.chance
    group = chance.weighted({_READ: 3, _DECLARE: 1, _DEVICE: 6, _SDK: 3})
    name = chance.choice(group)
    headers: Headers = [(b"Content-Type", chance.of(b"application/json", b"application/json", b"text/plain"))]
    fields = _fields(draft, name)
    if group in (_READ, _DECLARE):
        fields["auth"] = draft.key(lambda of: of.key("pushwoosh", "auth"))
    else:
        _show_owner(draft, fields)
        if chance.one_in(5):
            token = draft.key(lambda of: of.key("pushwoosh-device", "auth"))
            headers.append((b"Authorization", f"Token {token}".encode("utf-8", "replace")))
    tree: Any = fields if chance.one_in(6) else {"request": fields}
    path = f"/json/1.3/{name}"
    if draft.spoiled and chance.one_in(15):
        path = chance.of(
            "/json/1.3/", f"/json/1.3/{name.upper()}", f"/json//1.3/{name}/", "/json/1.3/get%00", f"/json/1.4/{name}"
        )
    return draft.case(b"POST", path, headers=headers, body=draft.json(tree))


def _show_owner(draft: Draft, fields: dict[str, Any]) -> None:
    """Device calls need no token: the application's owner is the account. Mutations make no other's code of one."""
    for tenant in (draft.me, draft.other):
        if fields.get("application") in tenant.applications:
            draft.shows.add(tenant.letter)


def _fields(draft: Draft, name: str) -> dict[str, Any]:
    chance, me = draft.chance, draft.me
    fields: dict[str, Any] = {"application": draft.own(lambda of: of.applications)}
    if name == "getEventStatistics":
        fields |= _statistics(draft)
    elif name == "getTagStats":
        fields = {"tag": draft.own(lambda of: of.tags)}
        if chance.one_in(2):
            fields["applications"] = [draft.own(lambda of: of.applications) for _ in range(chance.randrange(3))]
    elif name == "getResults":
        whose = draft.other if chance.one_in(4) else me
        fields = {"request_id": f"<<{whose.letter}.request.{chance.of('tags', 'events')}>>"}
    elif name == "createEvent":
        attribute = {"type": chance.randrange(0, 8), "name": f"f{chance.randrange(9)}"}
        fields |= {
            "name": f"Made{chance.randrange(300)}",
            "eventAttributes": [attribute],
            "trackRevenue": chance.of(True, 0),
        }
    elif name == "addTag":
        fields["tag"] = {
            "name": f"Made{chance.randrange(300)}",
            "type": chance.randrange(0, 9),
            "application_specific": chance.of(True, False),
        }
    else:
        fields |= _device(draft, name)
    return fields


def _statistics(draft: Draft) -> dict[str, Any]:
    chance = draft.chance
    first = draft.today - timedelta(days=chance.randrange(5))
    dates: tuple[Any, Any] = (str(first), str(draft.today))
    if draft.spoiled and chance.one_in(2):
        dates = day(chance, draft.today), moment(chance, draft.today, 3)
    fields: dict[str, Any] = {"event": draft.own(lambda of: of.events), "date_from": dates[0], "date_to": dates[1]}
    if chance.one_in(2):
        fields["attributes"] = [_condition(draft) for _ in range(1 + chance.randrange(2))]
    return fields


def _condition(draft: Draft) -> dict[str, Any]:
    chance = draft.chance
    values = chance.of([1, 2], [5], ["a push"], [], [3.5], ["2 days ago"], [True], [str(draft.today)], ["x"] * 1001)
    return {"name": chance.of("items", "source", "nothing"), "operator": chance.choice(_OPERATORS), "values": values}


def _device(draft: Draft, name: str) -> dict[str, Any]:
    chance, me = draft.chance, draft.plain
    fields: dict[str, Any] = {
        "hwid": f"{chance.choice(me.hwids)}-{me.letter}" if chance.one_in(3) else chance.choice(me.hwids)
    }
    if chance.one_in(4):
        fields["userId"] = chance.of(*me.users, 77)
        if chance.one_in(2):
            del fields["hwid"]
    if name == "postEvent":
        attributes = {"items": chance.of(1, "2", 3.5, -1), "source": chance.of(f"{me.mark} push", 5, None, ["a"])}
        fields |= {"event": draft.own(lambda of: of.events), "attributes": attributes}
        if chance.one_in(2):
            fields["timestampUTC"] = chance.of(1_773_101_100, "1773101100", 0, -1, 4_133_980_800, plain_nasty(chance))
    elif name in {"setTags", "registerDevice"}:
        fields["tags"] = {chance.choice(me.tags): f"{me.mark} value", f"Made{me.letter.upper()}": _tag(draft)}
    if name in {"registerDevice", "setBadge", "checkDevice", "unregisterDevice"}:
        fields |= {
            "device_type": chance.of(1, 3, "7", -1),
            "push_token": chance.of("token", "t" * 4097),
            "timezone": chance.of(-10_800, 20_700, "0"),
            "language": "pt",
        }
    return fields


def _tag(draft: Draft) -> Any:
    chance = draft.chance
    return chance.of(
        ["a", "b"],
        None,
        {"operation": chance.of("append", "remove", "x"), "value": ["a", 5]},
        "x",
        {"operation": "append"},
    )
