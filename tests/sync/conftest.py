"""Fixtures of this room."""

from tests.support.site import store

__all__ = ["store"]
