"""What operators see of the lake's tables and have done to them, from the command line and over HTTP."""
