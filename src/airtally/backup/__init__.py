"""Backup of a home while its server runs, and restore into an empty one."""
