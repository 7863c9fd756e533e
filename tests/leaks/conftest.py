"""Fixtures of this room."""

from tests.leaks.pooler import bouncer
from tests.support.site import store

__all__ = ["bouncer", "store"]
