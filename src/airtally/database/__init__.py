"""The database beside the lake, SQLite or PostgreSQL: its store, tables and migrations."""
