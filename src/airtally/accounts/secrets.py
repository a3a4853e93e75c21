"""The server's one secret, and what is derived from it: lookup hashes, sealing, keys that sign."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets as random
from pathlib import Path

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from airtally.kit.durable import create_file
from airtally.settings import SettingError

_log = structlog.get_logger()

FILE_NAME = "secret.key"
MIN_CHARACTERS = 32
_NONCE_BYTES = 12
_SEAL_VERSION = b"\x01"


class Secrets:
    """Made from AIRTALLY_SECRET_KEY, or from a file of the home that only its owner may read."""

    def __init__(self, master: bytes) -> None:
        self._master = master
        self._lookup = self.subkey("lookup")
        self._cipher = AESGCM(self.subkey("seal"))

    @classmethod
    def open(cls, home: Path, configured: str = "") -> Secrets:
        """Raises SettingError for a key too short to be secret."""
        text = configured or _kept(home / FILE_NAME)
        if len(text) < MIN_CHARACTERS:
            where = "AIRTALLY_SECRET_KEY" if configured else str(home / FILE_NAME)
            raise SettingError(f"{where} cannot be used: expected at least {MIN_CHARACTERS} random characters")
        return cls(text.encode())

    def subkey(self, purpose: str) -> bytes:
        """32 bytes that only this secret and purpose give, such as for signing links."""
        return HKDF(SHA256(), 32, salt=None, info=f"airtally/{purpose}".encode()).derive(self._master)

    def hashed(self, kind: str, presented: str) -> str:
        """Keyed hash to find what was presented by, without keeping it."""
        return hmac.digest(self._lookup, f"{kind}\0{presented}".encode(errors="surrogatepass"), hashlib.sha256).hex()

    def seal(self, text: str, context: str) -> bytes:
        """Encrypted for reading back with the same context."""
        nonce = os.urandom(_NONCE_BYTES)
        return _SEAL_VERSION + nonce + self._cipher.encrypt(nonce, text.encode(), context.encode())

    def unseal(self, sealed: bytes, context: str) -> str:
        """Raises SettingError if it was sealed with another secret key."""
        nonce, content = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, content, context.encode()).decode()
        except InvalidTag:
            raise SettingError("AIRTALLY_SECRET_KEY is not the key this store was written with") from None


def _kept(path: Path) -> str:
    """The file's key; made by whichever process comes first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        create_file(path, f"{random.token_urlsafe(48)}\n".encode())
    if path.stat().st_mode & 0o077:
        _log.warning("the secret key can be read by others", path=str(path), mend=f"chmod 600 {path}")
    return path.read_text().strip()
