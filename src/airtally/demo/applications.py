"""Push-enabled apps, the devices they are installed on and the tags these carry."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from airtally.demo import countries
from airtally.demo.chance import chooser
from airtally.demo.tables import iso_millis
from airtally.kit.time import DAY_US

Row = dict[str, Any]

_NAMES = ("Acme Shop", "Acme News", "Acme Play", "Acme Transit", "Acme Health", "Acme Bank")
_LANGUAGES = {"BR": "pt", "AR": "es", "MX": "es", "ES": "es", "DE": "de", "FR": "fr", "JP": "ja", "IN": "hi", "NP": "ne"}  # fmt: skip
#: iOS, Android, Chrome, Huawei, Safari.
_DEVICE_TYPES = ((1, 3, 11, 17, 10), (38, 44, 10, 5, 3))
_TOPICS = ("sport", "news", "offers", "music", "food", "travel")
_CITIES = ("São Paulo", "Berlin", "Tokyo", "New York", "Kathmandu", "Recife", "Lyon")


@dataclass(frozen=True, slots=True)
class Device:
    """`name` is its `hwid` on the wire; `since_us` is when the application was installed."""

    application: str
    name: str
    type: int
    country: str
    user: str | None
    since_us: int


@dataclass(frozen=True)
class Applications:
    """Applications of one account, their devices and tags. The same fields give the same rows."""

    seed: int = 1
    wanted: int = 3
    devices_each: int = 400
    days: int = 30
    now_us: int = 1_793_491_200_000_000

    @cached_property
    def codes(self) -> tuple[str, ...]:
        """The applications' codes, which depend on the seed, as a code is unique on the server."""
        chance = chooser("applications", self.seed)
        return tuple(f"{chance.getrandbits(20):05X}-{chance.getrandbits(20):05X}" for _ in range(self.wanted))

    @property
    def made_us(self) -> int:
        return self.now_us - self.days * DAY_US

    @cached_property
    def devices(self) -> list[Device]:
        return [device for code in self.codes for device in self._devices_of(code)]

    def application_rows(self) -> list[Row]:
        """Rows of the stream `applications`."""
        rows = [
            {"application": code, "name": _NAMES[number % len(_NAMES)]} | _version(self.made_us)
            for number, code in enumerate(self.codes)
        ]
        renamed = rows[-1] | {"name": f"{rows[-1]['name']} 2"} | _version(self.made_us, self.now_us - DAY_US)
        return [*rows, renamed]

    def device_rows(self) -> list[Row]:
        """Rows of the stream `devices`: installed, some later with a new push token, some removed again."""
        rows: list[Row] = []
        for device in self.devices:
            chance = chooser("device", self.seed, device.application, device.name)
            first = _device_row(chance, device)
            rows.append(first | _version(device.since_us))
            later = device.since_us + chance.randrange(self.now_us - device.since_us)
            if chance.random() < 0.08:
                rows.append(first | {"push_token": _push_token(chance)} | _version(device.since_us, later))
            elif chance.random() < 0.04:
                rows.append(first | _version(device.since_us, later) | {"is_deleted": 1})
        return rows

    def tag_rows(self) -> list[Row]:
        """Rows of the stream `device_tags`: two tags of the application's own, two that all applications share."""
        rows: list[Row] = []
        for device in self.devices:
            chance = chooser("tags", self.seed, device.application, device.name)
            for application, tag, value in _tags(chance, device):
                row = {"application": application, "hwid": device.name, "tag": tag}
                rows.append(row | {"value": value} | _version(device.since_us))
                later = device.since_us + chance.randrange(self.now_us - device.since_us)
                if chance.random() < 0.05:
                    changed = None if chance.random() < 0.3 else _changed(chance, tag, value)
                    rows.append(row | {"value": changed} | _version(device.since_us, later))
        return rows

    def _devices_of(self, code: str) -> Iterator[Device]:
        """Devices of one application. Every seventh device has all of the applications."""
        for number in range(self.devices_each):
            chance = chooser("devices", self.seed, number if number % 7 == 0 else f"{code}/{number}")
            name = f"{chance.getrandbits(64):016x}"
            country = chance.choices(countries.CODES[:-1], countries.SHARES[:-1])[0]
            kind = chance.choices(*_DEVICE_TYPES)[0]
            user = f"user-{chance.getrandbits(32):08x}" if chance.random() < 0.7 else None
            yield Device(code, name, kind, country, user, self.made_us + chance.randrange(self.days * DAY_US * 9 // 10))


def _version(made_us: int, updated_us: int | None = None) -> Row:
    return {
        "create_time_utc": iso_millis(made_us),
        "last_update_time_utc": iso_millis(made_us if updated_us is None else updated_us + 1_000),
        "is_deleted": 0,
    }


def _device_row(chance: random.Random, device: Device) -> Row:
    offset = next(country.utc_hours for country in countries.COUNTRIES if country.code == device.country)
    row: Row = {
        "application": device.application,
        "hwid": device.name,
        "device_type": device.type,
        "push_token": _push_token(chance),
        "language": _LANGUAGES.get(device.country, "en"),
        "timezone_seconds": int(offset * 3600),
    }
    if device.user:
        row |= {"user_id": device.user, "email": f"{device.user}@example.com"}
    return row


def _push_token(chance: random.Random) -> str:
    return f"{chance.getrandbits(256):064x}"


def _tags(chance: random.Random, device: Device) -> Iterator[tuple[str | None, str, Any]]:
    yield device.application, "Topics", chance.sample(_TOPICS, chance.randint(1, 3))
    yield device.application, "Orders", chance.randrange(12)
    yield None, "City", chance.choice(_CITIES)
    yield None, "Subscriber", chance.random() < 0.3


def _changed(chance: random.Random, tag: str, value: Any) -> Any:
    """Another value of the same type."""
    if tag == "Topics":
        return [*value, "last chance"]
    if tag == "City":
        return chance.choice(_CITIES)
    return not value if tag == "Subscriber" else value + 1
