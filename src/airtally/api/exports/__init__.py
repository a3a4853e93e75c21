"""Exports over HTTP: what callers may ask for, and the handlers. docs/reference/exports-api.md."""
