"""Devices that a user has logged in from: a cookie tells them, so that others' guesses do not keep the user out."""

from __future__ import annotations

import hashlib
import hmac
import secrets as random

from airtally.accounts.secrets import Secrets


class KnownDevices:
    """The cookie is an id and its signature for one user name. It lets nobody in: only tries are counted by it.

    Whoever steals it has a device's own count of tries at that user, one in a minute in the end.
    """

    def __init__(self, secrets: Secrets) -> None:
        self._key = secrets.subkey("login device")

    def make(self, username: str) -> str:
        """A cookie for the device that this user has logged in from."""
        device = random.token_urlsafe(18)
        return f"{device}.{self._sign(device, username)}"

    def known(self, cookie: str, username: str) -> str | None:
        """The device's id; None for a cookie that is not ours, or that is for another user."""
        device, _, signature = cookie.partition(".")
        right = hmac.compare_digest(self._sign(device, username).encode(), signature.encode(errors="replace"))
        return device if right else None

    def _sign(self, device: str, username: str) -> str:
        text = f"{device}\0{username}".encode(errors="surrogatepass")
        return hmac.digest(self._key, text, hashlib.sha256).hex()
