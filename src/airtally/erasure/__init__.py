"""Erases what is known of a person, and closes, exports and deletes accounts (docs/guides/privacy.md)."""
