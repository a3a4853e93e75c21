"""Rows of every stream that a server takes, by the stream's declaration."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from airtally.streams.declaration import Column, Kind, Stream, Type
from fuzz.chance import Chance
from fuzz.tenants import Tenant

#: Days back that rows lie: within the retention of every stream.
DAYS = 10


def row(chance: Chance, tenant: Tenant, stream: Stream, today: date) -> dict[str, Any]:
    """All that is needed, and about half of the rest."""
    made = {}
    for column in stream.columns:
        needed = column.required or column.name in stream.key
        if needed or (chance.one_in(2) and column.name != "is_deleted"):
            made[column.name] = value(chance, tenant, stream, column, today)
    return made


def value(chance: Chance, tenant: Tenant, stream: Stream, column: Column, today: date) -> Any:
    pools: dict[str, Any] = {
        "player_id": tenant.players,
        "media_id": tenant.medias,
        "business_id": tenant.businesses,
        "ad_group_id": tenant.groups,
        "app": tenant.apps,
        "application": tenant.applications,
        "hwid": tenant.hwids,
        "user_id": tenant.users,
        "event": tenant.events,
        "tag": tenant.tags,
        "ip": ("10.0.0.1", "0.0.0.0"),
        "country": ("BR", "NP", "ZZ"),
        "app_id": (tenant.cdn * 10 + 1,),
    }
    if column.name in pools:
        return chance.choice(pools[column.name])
    if column.choices:
        return chance.choice(column.choices)
    if column.pattern is not None:
        return "I"
    return _typed(chance, tenant, stream, column, today)


def _typed(chance: Chance, tenant: Tenant, stream: Stream, column: Column, today: date) -> Any:
    if column.type is Type.JSON:
        return _json(chance, tenant, column)
    if column.type is Type.TEXT:
        named = column.name in stream.key or column.name in stream.identity or column.name in stream.entity
        return (
            f"{column.name}-{chance.randrange(40)}" if named else f"{tenant.mark} {column.name} {chance.randrange(9)}"
        )
    if column.type in (Type.TIME, Type.LOCAL_TIME):
        return _moment(chance, stream, column, today)
    if column.type is Type.INT64:
        return chance.randrange(column.minimum or 0, (column.maximum or 500) + 1)
    return chance.of(0.5, 2.25, 10, -1.5)


def _json(chance: Chance, tenant: Tenant, column: Column) -> Any:
    if column.name == "categories":
        return [{"id": number, "name": f"{tenant.mark} category"} for number in range(chance.randrange(3))]
    if column.name == "attributes":
        return {"source": f"{tenant.mark} push", "items": chance.randrange(5)}
    return f"{tenant.mark} value"


def _moment(chance: Chance, stream: Stream, column: Column, today: date) -> str:
    seconds = chance.randrange(DAYS * 86_400)
    at = datetime(today.year, today.month, today.day, tzinfo=UTC) - timedelta(seconds=seconds)
    if stream.kind is Kind.CHANGELOG and column.name in {"create_time_utc", "last_update_time_utc"}:
        return at.isoformat(timespec="milliseconds")
    return at.replace(tzinfo=None).isoformat() if column.type is Type.LOCAL_TIME else at.isoformat()
