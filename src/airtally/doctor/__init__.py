"""Checks of a set-up, each with what to do: for `airtally doctor`, and for a server that runs."""
