"""The kinds of keys: the fields that `key create` prints for each, how they are made and how they are stored."""

from __future__ import annotations

import base64
import re
import secrets as random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from uuid import uuid4

from airtally.kit.errors import BadRequest

Credentials = dict[str, str | int]

_SECRET = re.compile(r"[!-~]{1,2048}")
_CDN_MAX = 1 << 53
#: Fields that are sent in the clear beside a secret.
_NAMES = frozenset({"client_id", "api_key", "email", "cdn"})

#: Shorter secrets can be guessed in time. They are imported all the same, because clients have them.
LEAST_CHARACTERS = 16


@dataclass(frozen=True, slots=True)
class KeyKind:
    """A kind of key. `fields` are those of the printed object, in order, each with the function that makes it.

    Keys are looked up by the hash of `lookup`; `hashed` is presented beside it; `sealed` is encrypted, to be read
    back; `tokens` are stored on their own, by use. A field of `optional` may be absent from an import, one of `extra`
    only comes with an import, and those of `together` come all or none.
    """

    name: str
    fields: Mapping[str, Callable[[], str]]
    lookup: str
    hashed: str | None = None
    sealed: str | None = None
    tokens: Mapping[str, str] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    options: frozenset[str] = frozenset()
    has_cdn: bool = False
    extra: frozenset[str] = frozenset()
    together: tuple[str, ...] = ()

    def make(self) -> Credentials:
        return {name: make() for name, make in self.fields.items()}

    def secrets(self, credentials: Credentials) -> dict[str, str]:
        """The secret fields: all but those that only name the holder."""
        return {name: str(value) for name, value in credentials.items() if name not in _NAMES}

    def check(self, imported: Mapping[str, object]) -> Credentials:
        """Complete an imported object with generated fields. Raises BadRequest, which says what is missing."""
        if problem := self._problem(set(imported)):
            expected = f"expected an object with {self.import_fields()}"
            raise BadRequest(f"The imported {self.name} key cannot be used: {problem}; {expected}")
        made: Credentials = {
            name: _checked_secret(name, imported[name]) if name in imported else make()
            for name, make in self.fields.items()
        }
        made |= {name: _checked_secret(name, imported[name]) for name in sorted(self.extra & set(imported))}
        return made | ({"cdn": checked_cdn(imported["cdn"])} if "cdn" in imported else {})

    def _problem(self, given: set[str]) -> str | None:
        known = {*self.fields, *self.extra, *(("cdn",) if self.has_cdn else ())}
        if unknown := given - known:
            return f"it has {_listed(unknown)}"
        if missing := set(self.fields) - given - self.optional:
            return f"it lacks {_listed(missing)}"
        if not given:
            return "it is empty"
        half = set(self.together) - given
        if half and half != set(self.together):
            return f"it lacks {_listed(half)}"
        if "refresh_token" in given and half:
            return f"a refresh_token is of no use without {_listed(half)}"
        return None

    def import_fields(self) -> str:
        """The required and optional fields of an import, in words."""
        needed = set(self.fields) - self.optional
        more = (self.optional | self.extra | ({"cdn"} if self.has_cdn else set())) - set(self.together)
        may = f" and, if there are any, {_listed(more)}" if more else ""
        if self.together:
            return f"access_token alone, or with {_listed(self.together)}{may}"
        return f"{_listed(needed)}{may}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _hex_32() -> str:
    return random.token_hex(16)


def _native() -> str:
    return f"airtally_{random.token_urlsafe(32)}"


def _tapjoy() -> str:
    """Base64 of `uuid:secret`, 168 characters, like the vendor's keys."""
    secret = base64.b64encode(random.token_bytes(64)).decode()
    return base64.b64encode(f"{uuid4()}:{secret}".encode()).decode()


def access_token() -> str:
    """An access token like those of Login with Amazon, over 350 characters."""
    return "Atza|" + random.token_urlsafe(270)


def refresh_token() -> str:
    return "Atzr|" + random.token_urlsafe(270)


KINDS: dict[str, KeyKind] = {
    kind.name: kind
    for kind in (
        KeyKind("native", {"token": _native}, "token", options=frozenset({"scopes"})),
        KeyKind("fouryousee", {"secret_token": _hex_32}, "secret_token"),
        KeyKind(
            "slate",
            {
                "client_id": lambda: f"amzn1.application-oa2-client.{random.token_hex(16)}",
                "client_secret": lambda: f"amzn1.oa2-cs.v1.{random.token_hex(32)}",
                "refresh_token": refresh_token,
                "access_token": access_token,
            },
            "client_id",
            hashed="client_secret",
            tokens={"refresh_token": "refresh", "access_token": "access"},
            optional=frozenset({"client_id", "client_secret", "refresh_token", "access_token"}),
            options=frozenset({"static", "offset_mode"}),
            together=("client_id", "client_secret"),
        ),
        KeyKind(
            "tapjoy",
            {"reporting_api_key": _tapjoy},
            "reporting_api_key",
            tokens={"legacy_api_key": "legacy"},
            extra=frozenset({"legacy_api_key", "email"}),
        ),
        KeyKind(
            "scaleengine",
            {"api_key": _hex_32, "secret_key": lambda: random.token_hex(32)},
            "api_key",
            sealed="secret_key",
            options=frozenset({"denied"}),
            has_cdn=True,
        ),
        KeyKind("pushwoosh", {"auth": lambda: random.token_urlsafe(48)}, "auth", options=frozenset({"applications"})),
        KeyKind(
            "pushwoosh-device", {"auth": lambda: random.token_urlsafe(48)}, "auth", options=frozenset({"applications"})
        ),
    )
}


def kind_of(name: str) -> KeyKind:
    """Raises BadRequest for an unknown kind."""
    if name not in KINDS:
        raise BadRequest(f"There is no kind of key {name[:64]!r}: expected one of {', '.join(KINDS)}")
    return KINDS[name]


def checked_cdn(value: object) -> int:
    """A CDN number from an int or digits. Raises BadRequest."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,16}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < _CDN_MAX:
        raise BadRequest("`cdn` cannot be used: expected a whole number above 0")
    return value


def _checked_secret(name: str, value: object) -> str:
    if not isinstance(value, str) or not _SECRET.fullmatch(value):
        raise BadRequest(f"`{name}` cannot be used: expected 1 to 2048 printable ASCII characters without spaces")
    return value
