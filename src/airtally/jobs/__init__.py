"""Jobs as rows of the database: the queue, turns of accounts, leases, retry policies and the worker."""
