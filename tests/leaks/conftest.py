"""Fixtures of this room."""

from tests.leaks.places import each_place, place
from tests.leaks.pooler import bouncer
from tests.support.site import store

__all__ = ["bouncer", "each_place", "place", "store"]
