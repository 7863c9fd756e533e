"""Upgrading: the embedded server's data comes to the next major version of PostgreSQL, and back."""
