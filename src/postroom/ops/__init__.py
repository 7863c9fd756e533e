"""Ops: keeps the embedded PostgreSQL server, its folder and its secrets."""
