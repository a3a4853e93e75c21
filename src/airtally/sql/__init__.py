"""Statements as trees, without an engine: what is asked for, filters, de-duplication, members of JSON columns."""
