"""The two accounts of the fuzzed home: what they are called, hold and show. The same in every run."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True)
class Tenant:
    """`mark` stands in texts of this account's rows alone, and never in a name that callers send."""

    letter: str
    slug: str
    zone: str
    mark: str
    cdn: int
    players: tuple[int, ...]
    medias: tuple[int, ...]
    rows: int = 12
    hwids: tuple[str, ...] = ("dev-1", "dev-2", "dev-3")
    users: tuple[str, ...] = ("u-1", "77")
    events: tuple[str, ...] = ("CartOpen", "Viewed")
    tags: tuple[str, ...] = ("sport", "Level")
    password: str = field(default="a password of the fuzzer")

    def secret(self, use: str) -> str:
        """64 hex digits."""
        return hashlib.sha256(f"{self.slug} {use}".encode()).hexdigest()

    @cached_property
    def keys(self) -> dict[str, dict[str, str | int]]:
        """By kind, as an import takes them."""
        secret = self.secret
        reporting = base64.b64encode(f"fuzz-{self.letter}:{secret('tapjoy')}".encode()).decode()
        return {
            "native": {"token": f"airtally_{secret('native')}"},
            "fouryousee": {"secret_token": secret("fouryousee")[:32]},
            "slate": {
                "client_id": f"amzn1.client.{self.letter}",
                "client_secret": secret("slate"),
                "refresh_token": f"Atzr|{secret('refresh')}",
                "access_token": f"Atza|{secret('access')}",
            },
            "tapjoy": {
                "reporting_api_key": reporting,
                "legacy_api_key": secret("legacy"),
                "email": f"{self.slug}@example.com",
            },
            "scaleengine": {
                "api_key": secret("scaleengine")[:32],
                "secret_key": secret("signature"),
                "cdn": self.cdn,
            },
            "pushwoosh": {"auth": secret("pushwoosh")},
            "pushwoosh-device": {"auth": secret("device")},
        }

    def key(self, kind: str, field: str) -> str:
        return str(self.keys[kind][field])

    @cached_property
    def applications(self) -> tuple[str, ...]:
        return (f"AAAA{self.letter.upper()}-00001", f"AAAA{self.letter.upper()}-00002")

    @cached_property
    def groups(self) -> tuple[str, ...]:
        return tuple(f"{self.letter}0000000-0000-4000-8000-00000000000{n}" for n in range(3))

    @cached_property
    def apps(self) -> tuple[str, ...]:
        return (f"{self.slug}-live", f"{self.slug}-vod")

    @cached_property
    def businesses(self) -> tuple[str, ...]:
        return (f"{self.slug}-max", f"{self.slug}-kids")

    @cached_property
    def slate_account(self) -> str:
        return f"{self.cdn}00"

    def dataset(self, business: str, kind: str) -> str:
        return f"{business}-{kind}"


A = Tenant("a", "acme", "America/Sao_Paulo", "Zimtstern", 17, (1, 2, 3), (48, 51))
B = Tenant("b", "rival", "Asia/Kathmandu", "Quittenmus", 18, (2, 9), (48, 99))
TENANTS = {tenant.letter: tenant for tenant in (A, B)}
