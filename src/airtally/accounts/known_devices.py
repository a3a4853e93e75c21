"""Recognises devices that a user has logged in from, so that others' guesses do not lock the user out."""

from __future__ import annotations

import hashlib
import hmac
import secrets as random

from airtally.accounts.secrets import Secrets


class KnownDevices:
    """Signs and checks cookies: a device's id and its signature for one user name.

    A cookie logs nobody in; failed log-ins are counted by it. Whoever steals one gets the device's own count of tries
    for that user, in the end one a minute.
    """

    def __init__(self, secrets: Secrets) -> None:
        self._key = secrets.subkey("login device")

    def make(self, username: str) -> str:
        """A cookie for the device that this user has logged in from."""
        device = random.token_urlsafe(18)
        return f"{device}.{self._sign(device, username)}"

    def known(self, cookie: str, username: str) -> str | None:
        """The device's id; None for a cookie with a wrong signature or of another user."""
        device, _, signature = cookie.partition(".")
        right = hmac.compare_digest(self._sign(device, username).encode(), signature.encode(errors="replace"))
        return device if right else None

    def _sign(self, device: str, username: str) -> str:
        text = f"{device}\0{username}".encode(errors="surrogatepass")
        return hmac.digest(self._key, text, hashlib.sha256).hex()
