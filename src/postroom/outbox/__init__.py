"""Outbox: what people want sent, sent once."""
