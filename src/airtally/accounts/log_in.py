"""Logging in with a user's name and password, within limits."""

from __future__ import annotations

from airtally.accounts.tries import Tries
from airtally.accounts.users import User, Users
from airtally.kit.addresses import neighbourhood
from airtally.kit.errors import Failure


class LogIn:
    """Thread-safe. Blocks: not for the event loop."""

    def __init__(self, users: Users, tries: Tries) -> None:
        self._users = users
        self._tries = tries

    def attempt(self, username: str, password: str, host: str, device: str | None = None) -> User | None:
        """The user, or None for a wrong user name or password. `device`: one that the user has logged in from.

        Raises TooManyRequests, or the failure of the store; such a try is not counted.
        """
        tried = self._tries.begin(username, host, device)
        try:
            user = self._users.login(username, password, caller=neighbourhood(host), known=device is not None)
        except Failure:
            self._tries.undo(tried)
            raise
        if user is not None:
            self._tries.succeeded(tried)
        return user
