"""What people look at first: whether anything of an account waits, fails or was refused."""
