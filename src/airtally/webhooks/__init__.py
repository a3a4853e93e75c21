"""Messages to accounts: by webhooks that accounts declare, signed by Standard Webhooks, and by e-mail."""
