"""Postroom: the mail store and sync engine that an application keeps in its own PostgreSQL."""

__version__ = "0.1.0"
