"""What an account must declare so that clients of an API work, and calls that show that they do."""
