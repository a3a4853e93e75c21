"""`python -m airtally`."""

from airtally.cli import main

main()
