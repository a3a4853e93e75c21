"""Usage of accounts by UTC day: rows and bytes taken in, requests, rows and bytes sent out."""
