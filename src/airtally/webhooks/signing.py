"""Secrets and signatures of webhooks, by the Standard Webhooks specification."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence

from standardwebhooks import Webhook

from airtally.kit.time import SECOND_US, to_datetime

_PREFIX = "whsec_"
_BYTES = 32


def new_secret() -> str:
    """`whsec_` and the Base64 of 32 random bytes."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def signed_headers(uid: str, sent_at: int, body: str, signing: Sequence[str]) -> dict[str, str]:
    """The headers of one try at `sent_at`, with a signature by each of the secrets `signing`."""
    moment = to_datetime(sent_at)
    signatures = " ".join(Webhook(secret).sign(uid, moment, body) for secret in signing)
    return {**unsigned_headers(uid, sent_at), "webhook-signature": signatures}


def unsigned_headers(uid: str, sent_at: int) -> dict[str, str]:
    """The headers of one try at `sent_at` that need no secret."""
    return {"Content-Type": "application/json", "webhook-id": uid, "webhook-timestamp": str(sent_at // SECOND_US)}
