"""What is wrong with the database, why it matters, and the command that mends it."""
