"""Jobs as rows of the database: the queue, whose turn it is, leases, the worker."""
