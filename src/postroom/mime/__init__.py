"""MIME: bytes to values and back, without touching the world."""
