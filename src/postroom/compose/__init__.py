"""Compose: what somebody wants to say, as the bytes of a message. No I/O, no clock, no chance: they are given."""
